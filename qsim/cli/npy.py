"""``.npy`` files of samples and of labels: read, never unpickled, and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim import npy
from qsim.errors import InputError
from qsim.report import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.report import Array

_NPY: Final = "a .npy file of float32 or integer codes, samples along dimension 0"


def read_npy(path: Path, accepted: str = _NPY) -> Array:
    """Read one array, in this machine's byte order; never a pickle.

    Raises:
        InputError: the file is missing, not a ``.npy`` file, or holds objects.
    """
    return npy.read(path, accepted)


def write_npy(path: Path, array: Array, count: int | None = None) -> None:
    """Write one array; one that grows begins with the header of all of its rows.

    Not by np.save, which tells of a full disk without a number, nor through mapped memory, where a
    full disk kills.

    Args:
        path: the file to make.
        array: all of it, or its first rows.
        count: how many rows there will be; :func:`append` writes those that come later.
    """
    shape = array.shape if count is None else (count, *array.shape[1:])
    header: Any = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": shape,
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.tobytes())


def append(path: Path, rows: Array) -> None:
    """Write the next rows of an array that grows."""
    with path.open("ab") as file:
        file.write(rows.tobytes())


def read_labels(path: Path, count: int, shape: Sequence[int]) -> Array:
    """Return the class of each sample, checked against the samples and the first output.

    Args:
        path: a ``.npy`` file of integers.
        count: how many samples there are.
        shape: of the first output.

    Raises:
        InputError: the file cannot be read, or its labels fit neither.
    """
    labels = read_npy(path, "a .npy file of integers, one class for each sample")
    if labels.dtype.kind not in "iu":
        raise InputError(f"holds {labels.dtype}", where=str(path), accepted="integer classes")
    if labels.shape != (count,):
        raise InputError(
            f"has shape {shape_text(labels.shape)} for {plural(count, 'sample')}",
            where=str(path),
            accepted=f"one class for each sample, shape {shape_text((count,))}",
        )
    if len(shape) != 2 or shape[1] < 2:
        raise InputError(
            f"the model's first output {shape_text(shape)} has no classes",
            where="--labels",
            accepted="--labels with an output (N, classes)",
        )
    outside = (labels < 0) | (labels >= shape[1])
    if outside.any():
        index = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"holds the class {labels[index]} at index [{index}]",
            where=str(path),
            accepted=f"0..{shape[1] - 1}",
        )
    return labels


def shape_text(shape: Sequence[int | str]) -> str:
    """Return a shape as ``(N, 1, 8, 8)``, N where any batch is taken."""
    return f"({', '.join('N' if size == -1 else str(size) for size in shape)})"
