"""Least and greatest of float32 values, over some dimensions.

Real-number meaning and formula: ``(min x, max x)`` over the elements of a row; both are elements
of it, so nothing is rounded. The result has the reduced dimensions with length 1, and one more of
length 2 behind: the least, then the greatest.

Corners: of -0.0 and 0.0 the least is -0.0 and the greatest 0.0, whatever their order. An empty row
has neither, and is refused. A row with NaN has NaN for both; what reads it decides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_ledger, show
from hw_models._pointwise import ends_of, require_floats
from hw_models.compiled import kernel, part
from hw_models.errors import ContractError
from hw_models.formats import is_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FloatArray
    from hw_models.ledger import Ledger


def reference(row: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest of one value or more: the definition."""
    if any(math.isnan(x) for x in row):
        return math.nan, math.nan

    def place(x: float) -> tuple[float, float]:
        return x, math.copysign(1, x)

    return min(row, key=place), max(row, key=place)


@part
def settle(low: Any, high: Any, y: Any) -> None:
    """Write the values of the least and the greatest place: bits as integers in their order."""
    if low < np.int32(-0x7F800001) or high > np.int32(0x7F800000):  # beyond the infinities
        low = high = np.int32(0x7FC00000)
    y[0] = low ^ ((low >> np.int32(31)) & np.int32(0x7FFFFFFF))
    y[1] = high ^ ((high >> np.int32(31)) & np.int32(0x7FFFFFFF))


@kernel
def _min_max(x: Any, y: Any) -> None:
    # Bits as integers in the order of the numbers: -0.0 before 0.0, and a loop that vectorizes.
    for r in range(x.shape[0]):
        low, high = np.int32(0x7FFFFFFF), np.int32(-0x80000000)
        for i in range(x.shape[1]):
            bits = x[r, i]
            place = bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))
            low = min(low, place)
            high = max(high, place)
        settle(low, high, y[r])


def min_max(
    x: FloatArray, axes: Sequence[int] | None = None, ledger: Ledger | None = None
) -> npt.NDArray[np.float32]:
    """Take the least and the greatest value over dimensions.

    Args:
        x: float32, any shape and strides; no reduced dimension is empty.
        axes: the dimensions to reduce, each once; None for all.
        ledger: filled with the extremes of the result.

    Returns:
        float32 of x's shape with 1 for each reduced dimension, and 2 behind.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    values = require_floats(x, "x")
    reduced = reduced_axes(values.ndim, axes)
    if any(values.shape[axis] == 0 for axis in reduced) or (axes is None and values.size == 0):
        raise ContractError(
            f"x must have a value in every row, not the shape {values.shape} with axes "
            f"{list(reduced)} (accepted: no empty dimension among those reduced)"
        )
    kept = [axis for axis in range(values.ndim) if axis not in reduced]
    rows = np.ascontiguousarray(values.transpose(*kept, *reduced))
    rows = rows.reshape(math.prod(values.shape[axis] for axis in kept), -1 if values.size else 0)
    shape = tuple(1 if axis in reduced else n for axis, n in enumerate(values.shape))
    y = np.empty((len(rows), 2), np.float32)
    _min_max(rows.view(np.int32), y.view(np.int32))
    if ledger is not None:
        ledger.fill(y.size, ends_of(y), "min_max", "no arithmetic: values are picked")
    return y.reshape(*shape, 2)


def reduced_axes(ndim: int, axes: Sequence[int] | None) -> tuple[int, ...]:
    """Return the dimensions that axes name, ascending.

    Raises:
        ContractError: one is named twice, or is none.
    """
    if axes is None:
        return tuple(range(ndim))
    items: list[Any] = list(axes) if isinstance(axes, (list, tuple)) else [None]
    good = all(is_int(axis) and -ndim <= int(axis) < ndim for axis in items)
    places = {int(axis) % ndim for axis in items} if good else set()
    if not good or len(places) != len(items):
        raise ContractError(
            f"axes must be different dimensions, not {show(axes)} (accepted: {-ndim}..{ndim - 1})"
        )
    return tuple(sorted(places))
