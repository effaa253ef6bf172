"""Shared by the element-wise primitives: checks of arguments and memory layout.

An array is viewed in its own memory order as (outer, channels, inner) without a copy whenever it
is dense in some order (C order, channels last, any transpose); results keep that order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array
from hw_models.errors import ContractError
from hw_models.floats import FLOAT32
from hw_models.formats import FixedFormat, IntArray, is_int

_C_ORDERS = tuple(tuple(range(ndim)) for ndim in range(65))  # NumPy has at most 64 dimensions
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
MAX_NARROW = 16


def require_integers(x: object, name: str) -> IntArray:
    """Return x as an integer array, or raise ContractError."""
    array = as_array(x, name)
    if array.dtype.kind not in "iu":
        raise ContractError(
            f"{name} must be an integer array, not {array.dtype} (accepted: int8 to int64, "
            "uint8 to uint64)"
        )
    return array


def require_floats(x: object, name: str) -> npt.NDArray[np.float32]:
    """Return x as an array of float32, or raise ContractError."""
    array = as_array(x, name)
    if array.dtype != FLOAT32.dtype:
        raise ContractError(
            f"{name} must be a float32 array, not {array.dtype} (accepted: float32)"
        )
    return array


def require_numbers(x: object, name: str) -> npt.NDArray[Any]:
    """Return x as an array of integers or of float32 values, or raise ContractError."""
    array = as_array(x, name)
    return array if array.dtype == FLOAT32.dtype else require_integers(array, name)


def require_signed(x: object, name: str) -> IntArray:
    """As require_integers, and every value fits int64."""
    array = require_integers(x, name)
    return as_int64(array, name) if array.dtype == np.uint64 else array


def require_codes(codes: IntArray, name: str, form: FixedFormat) -> None:
    """Raise ContractError where an element is no code of the format."""
    if form.fits(codes):
        return
    wrong = (codes < form.min) | (codes > form.max)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), codes.shape))
    raise ContractError(
        f"{name} must hold codes of its format, not {int(codes[index])} at index {index} "
        f"(accepted: {form.min}..{form.max})"
    )


def require_int(value: object, name: str, low: int, high: int) -> int:
    """Return value as an int in low..high, or raise ContractError."""
    if not is_int(value) or not low <= int(value) <= high:  # type: ignore[call-overload]
        raise ContractError(
            f"{name} must be an integer in {low}..{high}, not {value!r} (accepted: {low}..{high})"
        )
    return int(value)  # type: ignore[call-overload, no-any-return]  # is_int is no TypeGuard


def keep_ints(owner: object, low: int, high: int, *fields: str) -> None:
    """Replace fields of a frozen dataclass with Python integers in low..high.

    A NumPy integer would compute in its own few bits.
    """
    for field in fields:
        name = f"{type(owner).__name__}.{field}"
        object.__setattr__(owner, field, require_int(getattr(owner, field), name, low, high))


def require_output(output: FixedFormat) -> FixedFormat:
    """Refuse a format wider than an operand may be."""
    if not isinstance(output, FixedFormat) or output.bits > 32:
        raise ContractError(
            f"output must be a FixedFormat of 1 to 32 bits, not {output!r} (accepted: 1..32 bits)"
        )
    return output


def require_narrow(form: FixedFormat, name: str) -> FixedFormat:
    """Refuse a format of more than 16 bits."""
    if not isinstance(form, FixedFormat) or form.bits > MAX_NARROW:
        raise ContractError(
            f"{name} must be a FixedFormat of 1 to {MAX_NARROW} bits, not {form!r} "
            f"(accepted: 1..{MAX_NARROW} bits)"
        )
    return form


def require_axis(axis: object, ndim: int, length: int, channels: int, what: str) -> int:
    """Return axis as a non-negative index whose length (by the caller's shape) fits channels."""
    if not is_int(axis) or not -ndim <= int(axis) < ndim:  # type: ignore[call-overload]
        raise ContractError(
            f"axis must name a dimension of the array, not {axis!r} (accepted: {-ndim}..{ndim - 1})"
        )
    if channels not in (length, 1):
        raise ContractError(
            f"{what} must have one value per channel, not {channels} for {length} channels "
            f"(accepted: a scalar, or {length} values)"
        )
    return int(axis) % ndim  # type: ignore[call-overload, no-any-return]


def output_range(output: FixedFormat, clamp: tuple[int, int] | None) -> tuple[int, int]:
    """Return the range of codes after a fused activation and the output format."""
    if clamp is None:
        return output.min, output.max
    try:
        low, high = clamp
    except (TypeError, ValueError):
        low, high = 1, 0
    if not (is_int(low) and is_int(high) and low <= high):
        raise ContractError(
            f"clamp must be (low, high) codes with low <= high, not {clamp!r} "
            "(accepted: two integers, or None)"
        )
    return output.saturate(int(low)), output.saturate(int(high))


def ends_of(x: npt.NDArray[Any]) -> tuple[float, float]:
    """Return minimum and maximum of codes or of float32 values; (0, 0) when empty."""
    if x.dtype.kind != "f":
        return extremes(x)
    return (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)


def extremes(x: IntArray) -> tuple[int, int]:
    """Return exact minimum and maximum; (0, 0) when empty."""
    return (int(x.min()), int(x.max())) if x.size else (0, 0)


def as_int64(x: IntArray, name: str) -> npt.NDArray[np.int64]:
    """Widen to int64; uint64 values above the int64 range are refused."""
    if x.dtype == np.uint64 and x.size and int(x.max()) > INT64_MAX:
        index = tuple(int(i) for i in np.argwhere(x > np.uint64(INT64_MAX))[0])
        raise ContractError(
            f"{name} must fit 64-bit signed, not {int(x[index])} at index {index} "
            f"(accepted: up to {INT64_MAX})"
        )
    return x.astype(np.int64, copy=False)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a logical array lies in memory: ``logical.transpose(order)`` is C-contiguous."""

    order: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def is_c(self) -> bool:
        """Whether memory order is the logical C order."""
        return self.order == _C_ORDERS[len(self.order)]

    def restore(self, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give a result in memory order its logical shape, without a copy."""
        if self.is_c:
            return flat.reshape(self.shape)
        memory = flat.reshape([self.shape[i] for i in self.order])
        return memory.transpose(np.argsort(self.order)) if self.order else memory.reshape(())

    def first(self, flags: npt.NDArray[Any]) -> tuple[int, ...]:
        """Return the index, first in C order, of a true flag (flags lie in memory order)."""
        logical = self.restore(flags)
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(logical)), self.shape))


def dimension_order(x: npt.NDArray[Any]) -> tuple[int, ...]:
    """Return the dimensions of x as they lie in memory, outermost first."""
    if x.flags.c_contiguous:
        return _C_ORDERS[x.ndim]
    return tuple(sorted(range(x.ndim), key=lambda i: -abs(x.strides[i])))


def memory_order(x: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Layout]:
    """Return x as a C-contiguous array over its memory order, and the way back."""
    order = dimension_order(x)
    if x.flags.c_contiguous:
        return x, Layout(order, x.shape)
    return np.ascontiguousarray(x.transpose(order)), Layout(order, x.shape)


def channel_view(x: npt.NDArray[Any], axis: int, channels: int) -> tuple[npt.NDArray[Any], Layout]:
    """View x in memory order as (outer, channels, inner); (1, 1, size) when channels is 0 or 1.

    Without elements, outer is 0: no kernel then reads a parameter.
    """
    dense, layout = memory_order(x)
    if x.size == 0:
        return dense.reshape(0, max(channels, 1), 0), layout
    if channels <= 1:
        return dense.reshape(1, 1, -1), layout
    position = layout.order.index(axis)
    outer = math.prod(dense.shape[:position])
    return dense.reshape(outer, channels, -1), layout
