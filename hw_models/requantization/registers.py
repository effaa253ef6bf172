"""The registers inside the requantize schemes: what a call did to each of them.

Two of the fixed-point datapaths have registers of a given width; see
``hw_models.schemes.fixed_point`` for their formulas:

* ``double`` and ``double-half-up``: ``left shift``, 32 bits that wrap, holds ``x << left``;
  ``high product``, 32 bits that saturate, holds b, the upper half of the product.
* ``tosa-single`` and ``tosa-double``: ``operand``, 32 bits (apply_scale_16: 48), holds x, and
  ``result``, 32 bits, what it is rescaled to; outside either is an error.

The other schemes are defined on exact integers or on floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hw_models._pointwise import extremes
from hw_models.errors import ContractError, no_case
from hw_models.formats import FixedFormat, IntArray
from hw_models.ledger import Register, fixed_register
from hw_models.schemes.fixed_point import FIXED_ROUNDINGS, FixedPoint

if TYPE_CHECKING:
    from collections.abc import Callable

First: TypeAlias = "Callable[[npt.NDArray[Any]], tuple[int, ...]]"
_REGISTER = FixedFormat(32)


def registers_of(scheme: object, view: IntArray, offset: int, first: First) -> tuple[Register, ...]:
    """Return the records of a scheme's registers, in the order of its datapath.

    Args:
        scheme: a requantizer.
        view: what it rescaled, [outer, channels, inner], which it did not refuse.
        offset: subtracted from it first.
        first: from flags of the view's shape to the index, in C order, of the first of them.
    """
    if not isinstance(scheme, FixedPoint):
        return ()
    match scheme.rounding:
        case "double" | "double-half-up":
            return _twice(scheme, view.astype(np.int64) - offset, first)
        case "tosa-single" | "tosa-double":
            return _tosa(scheme, view.astype(np.int64) - offset)
        case "single" | "s64-reduced":
            return ()
        case _:
            raise ContractError(no_case(scheme.rounding, "FixedPoint.rounding", FIXED_ROUNDINGS))


def _twice(scheme: FixedPoint, x: npt.NDArray[np.int64], first: First) -> tuple[Register, Register]:
    """32-bit operands, shifted left by 31 at most: 64 bits hold every step."""
    shape = (1, x.shape[1], 1)
    left = _columns(np.maximum(scheme.bits - 1 - scheme.shifts, 0), shape)
    # Shifts and products are monotone in each channel: its ends have the extremes of all.
    shifted = _ends(x) << left
    wraps = not _REGISTER.fits(shifted)
    if wraps:
        shifted = x << left
    operand = _record("left shift", "wrap", shifted, extremes(shifted), first)
    held = _ends(_REGISTER.wrap(shifted).astype(np.int64)) if wraps else shifted
    product = _high_product(held, _columns(scheme.multipliers, shape), scheme.bits - 1)
    ends = extremes(product)
    if not _REGISTER.fits(product):
        whole = _REGISTER.wrap(x << left).astype(np.int64)
        product = _high_product(whole, _columns(scheme.multipliers, shape), scheme.bits - 1)
    return operand, _record("high product", "saturate", product, ends, first)


def _columns(values: npt.NDArray[np.int64], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    return np.broadcast_to(values.reshape(1, -1, 1), shape)


def _ends(x: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the extremes of every channel, [1, channels, 2]; of nothing, nothing."""
    if x.size == 0:
        return np.empty((1, x.shape[1], 0), np.int64)
    return np.stack([x.min((0, 2)), x.max((0, 2))], axis=-1)[None]


def _high_product(
    a: npt.NDArray[np.int64], m: npt.NDArray[np.int64], n: int
) -> npt.NDArray[np.int64]:
    """Return gemmlowp's b of the module ``fixed_point``, before it saturates."""
    product, half = a * m, 1 << (n - 1)
    up, down = (product + half) >> n, -(-(product + 1 - half) >> n)
    return np.where(product >= 0, up, down)


def _record(
    name: str, overflow: Any, exact: IntArray, ends: tuple[int, int], first: First
) -> Register:
    outside = (exact < _REGISTER.min) | (exact > _REGISTER.max)
    count = int(np.count_nonzero(outside))
    return Register(name, 32, overflow, *ends, count, first(outside) if count else None)


def _tosa(scheme: FixedPoint, x: npt.NDArray[np.int64]) -> tuple[Register, Register]:
    """A scale of at least 0 is monotone: each channel's ends have its extremes."""
    ends = _ends(x)
    results = [
        scheme.reference(int(value), c if scheme.channels > 1 else 0)
        for c in range(x.shape[1])
        for value in ends[0, c]
    ]
    operand = FixedFormat(scheme.operand_bits)
    return (
        fixed_register("operand", operand, extremes(x)),
        fixed_register("result", _REGISTER, (min(results, default=0), max(results, default=0))),
    )
