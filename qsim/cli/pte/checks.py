"""Checks of an array that a ``.pte`` shall take: shape, type, finite numbers, codes in range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsim.errors import InputError

if TYPE_CHECKING:
    from qsim.cli.pte.arguments import Argument
    from qsim.report import Array


def checked(array: Array, arg: Argument, where: str) -> Array:
    """Return an array in the type that an input has, if it fits.

    Raises:
        InputError: names the file, what was found and what is accepted.
    """
    spec = arg.tensor
    assert spec is not None  # noqa: S101 - only tensors are read from files
    _check_shape(array, arg, where)
    dtype = arg.dtype()
    if array.dtype == dtype:
        _check_finite(array, where)
        _check_codes(array, arg.codes, where)
        return np.ascontiguousarray(array)
    if array.dtype.kind in "iu" and dtype.kind in "iu":
        ends = np.iinfo(dtype)
        _check_codes(array, arg.codes or (int(ends.min), int(ends.max)), where)
        return array.astype(dtype)
    cure = f'; save it with .astype("{dtype}")' if array.dtype.kind == dtype.kind else ""
    if dtype.kind in "iu" and array.dtype.kind == "f":
        cure = " codes: the program quantizes no floats; `qsim inspect` shows scale and zero point"
    raise InputError(f"holds {array.dtype}", where=where, accepted=f"{dtype}{cure}")


def _check_shape(array: Array, arg: Argument, where: str) -> None:
    spec = arg.tensor
    assert spec is not None  # noqa: S101 - only tensors are read from files
    begin = 1 if arg.split else 0
    fits = array.ndim == len(spec.sizes)
    rows = zip(array.shape, spec.sizes, arg.fixed, strict=False)
    for size, known, fixed in list(rows)[begin:]:
        fits = fits and (size == known if fixed else size <= known)
    if not fits:
        shape = f"({', '.join(map(str, array.shape))})"
        raise InputError(f"has shape {shape}", where=where, accepted=str(arg))


def _check_finite(array: Array, where: str) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        index = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise InputError(
            f"holds {array[index]} at index {list(index)}", where=where, accepted="finite numbers"
        )


def _check_codes(array: Array, codes: tuple[int, int] | None, where: str) -> None:
    if codes is None or array.dtype.kind not in "iu":
        return
    outside = (array < codes[0]) | (array > codes[1])
    if outside.any():
        index = tuple(map(int, np.argwhere(outside)[0]))
        raise InputError(
            f"holds the code {array[index]} at index {list(index)}",
            where=where,
            accepted=f"{codes[0]}..{codes[1]}",
        )
