"""Values at the boundary of a network or a Program: checked on the way in, owned on the way out.

A value is a torch tensor or a NumPy array; torch is never loaded in order to find out which.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models import FixedFormat
    from qsim.network import ValueSpec
    from qsim.program.attributes import Array
    from qsim.program.calls import TensorSpec

# Shape and dtype of each of several arrays.
Kinds = tuple[tuple[tuple[int, ...], "np.dtype[Any]"], ...]


def is_tensor(value: object) -> bool:
    """Return whether value is a torch tensor, without loading torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


@cache
def dtype_name(dtype: Any) -> str:
    """Return the name of a dtype of torch or NumPy; NumPy takes a microsecond to spell one."""
    return str(dtype)


@cache
def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def kinds_of(arrays: Sequence[Any]) -> Kinds | None:
    """Return shapes and dtypes, or None where something is not exactly an array."""
    kinds = []
    for array in arrays:
        if type(array) is not np.ndarray:
            return None
        kinds.append((array.shape, array.dtype))
    return tuple(kinds)


def always_codes(dtype: np.dtype[Any], codes: FixedFormat) -> bool:
    """Return whether every number of an integer dtype is a code of the format."""
    least, most = _limits(dtype)
    return codes.min <= least and most <= codes.max


def in_native_order(array: Array) -> Array:
    """Return an array in the machine's byte order: the other one is the same numbers."""
    kind = getattr(array, "dtype", None)  # what is no array is told by who checks it
    return (
        array
        if not isinstance(kind, np.dtype) or kind.isnative
        else array.astype(kind.newbyteorder("="))
    )


def as_array(value: Any, spec: ValueSpec) -> Array:
    """Return an input as an array in the machine's byte order, without a copy where it has that.

    Raises:
        InputError: no tensor or array, of another dtype, or not dense in the CPU's memory.
    """
    where = f"input {spec.name!r}"
    accepted = f"a torch tensor or NumPy array of {spec.dtype}"
    array: Array
    if is_tensor(value):
        found = str(value.dtype).removeprefix("torch.")
        if value.device.type != "cpu" or value.layout != sys.modules["torch"].strided:
            raise InputError(
                f"the tensor must be dense and on the CPU, not {value.device}, {value.layout}",
                where=where,
                accepted=accepted,
            )
        if found == spec.dtype:
            array = value.detach().resolve_conj().resolve_neg().numpy()
            return array
    elif isinstance(value, np.ndarray):
        array = in_native_order(value)
        found = dtype_name(array.dtype)
        if found == spec.dtype:
            return array
    else:
        raise InputError(f"not {type(value).__name__}", where=where, accepted=accepted)
    raise InputError(f"dtype must be {spec.dtype}, not {found}", where=where, accepted=spec.dtype)


def check_input(array: Array, spec: ValueSpec, batch: int | None) -> int | None:
    """Require shape and values of an input; return the batch size once it is known.

    Raises:
        InputError: another shape, a code out of its format, NaN.
    """
    where = f"input {spec.name!r}"
    batch = check_shape_of(array.shape, spec.shape, where, batch)
    if spec.format is not None:
        check_range(array, spec.format, where)
    elif array.dtype.kind == "f":
        bad_values = np.isnan(array)
        if bad_values.any():
            found = np.unravel_index(int(np.argmax(bad_values)), array.shape)
            raise InputError(
                f"NaN at index {[int(i) for i in found]}", where=where, accepted="numbers"
            )
    return batch


def check_output(value: Any, spec: ValueSpec) -> None:
    """Require of an output what the network says of it: dtype, sizes but the batch, codes.

    Raises:
        ModelError: it is something else.
    """
    where = f"output {spec.name!r}"
    if not isinstance(value, np.ndarray) and not is_tensor(value):
        raise ModelError.of(
            "the value must be a tensor", type(value).__name__, "a tensor", where=where
        )
    dtype, shape = dtype_name(value.dtype).removeprefix("torch."), tuple(value.shape)
    symbolic = bool(spec.shape) and spec.shape[0] == -1
    same = len(shape) == len(spec.shape) and shape[symbolic:] == spec.shape[symbolic:]
    if dtype != spec.dtype or not same:
        raise ModelError(
            f"what is computed is {dtype} {show_shape(shape)}",
            where=where,
            accepted=f"what the network states, {spec.dtype} {show_shape(spec.shape)}",
        )
    if spec.format is not None:
        try:
            check_range(to_numpy(value, spec.name), spec.format, where)
        except InputError as error:
            raise ModelError.placed(error, error.where) from None


def check_values(array: Any, spec: TensorSpec, batch: int | None) -> int | None:
    """Require codes of the tensor's format, or float32 values, and its shape.

    Returns:
        The batch size once it is known.

    Raises:
        InputError: naming the input, what was found and what is accepted.
    """
    where = f"input {spec.name!r}"
    floats = spec.format.dtype.kind == "f"
    if not isinstance(array, np.ndarray) or array.dtype.kind not in ("f" if floats else "iu"):
        found = getattr(array, "dtype", type(array).__name__)
        raise InputError(
            f"dtype must be {spec.format.dtype if floats else 'an integer'}, not {found}",
            where=where,
            accepted=str(spec.format.dtype),
        )
    if floats and array.dtype.itemsize != spec.format.dtype.itemsize:
        raise InputError(
            f"dtype must be {spec.format.dtype}, not {array.dtype}",
            where=where,
            accepted=str(spec.format.dtype),
        )
    batch = check_shape_of(array.shape, spec.shape, where, batch)
    if not floats:
        check_range(array, spec.codes, where)
    return batch


def check_shape_of(
    found: tuple[int, ...], wanted: tuple[int, ...], where: str, batch: int | None
) -> int | None:
    """Require a shape, with one batch size for all inputs; return that batch size."""
    symbolic = bool(wanted) and wanted[0] == -1
    same = len(found) == len(wanted) and found[symbolic:] == wanted[symbolic:]
    if not same:
        raise InputError(
            f"shape must be {show_shape(wanted)}, not {show_shape(found)}",
            where=where,
            accepted=show_shape(wanted) + (", N any batch size" if symbolic else ""),
        )
    if symbolic and batch is not None and found[0] != batch:
        raise InputError(
            f"the batch size must be that of the first input, not {found[0]}",
            where=where,
            accepted=str(batch),
        )
    return found[0] if symbolic else batch


def show_shape(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it: ``[N, 3, 8, 8]``."""
    return f"[{', '.join('N' if size == -1 else str(size) for size in shape)}]"


def check_range(array: Array, codes: FixedFormat, where: str) -> None:
    """Require every element to be a code of the format; name the first that is not."""
    if always_codes(array.dtype, codes) or codes.fits(array):
        return
    # Comparing in the array's own dtype needs limits that it can hold.
    least, most = _limits(array.dtype)
    low, high = max(codes.min, least), min(codes.max, most)
    outside = (array < low) | (array > high)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(outside)), array.shape))
    raise InputError(
        f"{int(array[index])} at index {list(index)} is outside the format",
        where=where,
        accepted=f"{codes.min}..{codes.max}",
    )


def to_numpy(value: Any, name: str) -> Array:
    """Return a tensor or array as an array."""
    if isinstance(value, np.ndarray):
        return value
    if is_tensor(value):
        try:
            array: Array = value.detach().numpy()
        except (TypeError, RuntimeError) as error:
            raise ModelError(str(error), where=f"value {name!r}") from None
        return array
    raise ModelError.of(f"value {name!r} must be a tensor", type(value).__name__, "a tensor")


def contiguous(value: Any, name: str) -> Array:
    """Return a value as a contiguous array of its own."""
    return np.array(to_numpy(value, name), order="C")


def present(value: Any, name: str, inputs: Sequence[Array], *, as_torch: bool) -> Any:
    """Return a value as the caller's kind, with memory of its own."""
    if not as_torch:
        array = to_numpy(value, name)
        own = array.flags.owndata and not any(array is taken for taken in inputs)
        return array if own else array.copy()
    if is_tensor(value):
        return value.clone()
    return to_tensor(contiguous(value, name))


def to_tensor(value: Any) -> Any:
    """Return an array as a tensor that shares its memory; other values as they are."""
    import torch

    if not isinstance(value, np.ndarray):
        return value
    plain = value if value.flags.writeable and value.flags.c_contiguous else value.copy(order="C")
    return torch.from_numpy(plain)
