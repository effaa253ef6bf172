"""Softmax of float32 values over the last dimension, its sum in lanes.

Real-number meaning: ``y[i] = exp(x[i]) / sum of exp(x[k])``.

Formula, for each row; every step is rounded to float32::

    e[i] = exp(x[i] - max of x)                   exp of hw_models.float32.exponential
    y[i] = e[i] * (1 / total of e)

The total has L lanes (16 are those of AVX-512, 8 of AVX2). Of fewer than L values it is their sum,
in order. Else lane l is ``e[l] + e[l + L] + e[l + 2 * L] + ...``, in order, what is left at the end
going to the first lanes; then the upper half of the lanes is added to the lower
one until one is left.

Corners: a row without a finite largest value, or with a NaN, is NaN.

Source: ATen's softmax over a last dimension (SoftMaxKernel.cpp, vec::reduce_all).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_ledger
from hw_models._pointwise import ends_of, require_floats, require_int
from hw_models.compiled import kernel, part
from hw_models.errors import ContractError
from hw_models.float32.exponential import exp, exp_reference
from hw_models.float32.steps import divide, f32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FloatArray
    from hw_models.ledger import Ledger

MAX_LANES: Final = 64


def total_reference(values: Sequence[float], lanes: int) -> float:
    """Return the sum of a row in lanes: the definition."""
    if len(values) < lanes:
        held = [values[0]]
        for value in values[1:]:
            held[0] = f32(held[0] + value)
        return held[0]
    held = list(values[:lanes])
    for place, value in enumerate(values[lanes:]):
        held[place % lanes] = f32(held[place % lanes] + value)
    while len(held) > 1:
        half = len(held) // 2
        held = [f32(held[i] + held[i + half]) for i in range(half)]
    return held[0]


def reference(row: Sequence[float], lanes: int) -> list[float]:
    """Return the softmax of one row, step by step: the definition."""
    largest = math.nan if any(map(math.isnan, row)) else max(row)
    powers = [exp_reference(f32(x - largest)) for x in row]
    factor = divide(1, total_reference(powers, lanes))
    return [f32(power * factor) for power in powers]


@part(error_model="numpy")
def total(row: Any, lanes: Any, held: Any) -> Any:
    """Return the sum of a row in lanes; ``held`` has room for them."""
    size = row.size
    if size < lanes:
        one = row[0]
        for i in range(1, size):
            one += row[i]
        return one
    for lane in range(lanes):
        held[lane] = row[lane]
    whole = size // lanes * lanes
    for start in range(lanes, whole, lanes):
        for lane in range(lanes):
            held[lane] += row[start + lane]
    for lane in range(size - whole):
        held[lane] += row[whole + lane]
    half = lanes // 2
    while half:
        for lane in range(half):
            held[lane] += held[lane + half]
        half //= 2
    return held[0]


@kernel(nogil=True, error_model="numpy")
def rows(x: Any, y: Any, lanes: Any, held: Any) -> None:
    """Compute the softmax of each row of x [N, C] into y; ``held``: float32 [lanes]."""
    for n in range(x.shape[0]):
        largest = x[n, 0]
        for i in range(x.shape[1]):
            value = x[n, i]
            largest = value if value > largest or value != value else largest
        for i in range(x.shape[1]):
            y[n, i] = exp(x[n, i] - largest)
        factor = np.float32(1) / total(y[n], lanes, held)
        for i in range(x.shape[1]):
            y[n, i] *= factor


def require_lanes(lanes: object) -> int:
    """Return the number of lanes, or raise ContractError."""
    count = require_int(lanes, "lanes", 1, MAX_LANES)
    if count & (count - 1):
        raise ContractError(f"lanes must be a power of two, not {count} (accepted: 1, 2, 4, ..64)")
    return count


def float_softmax(
    x: FloatArray, lanes: int = 16, ledger: Ledger | None = None
) -> npt.NDArray[np.float32]:
    """Return the softmax over the last dimension.

    Args:
        x: float32 [..., C] of any strides, C of 1 and more.
        lanes: of the sum, a power of two.
        ledger: filled with the extremes of the result.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    count = require_lanes(lanes)
    values = require_floats(x, "x")
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ContractError(
            f"x must have values to sum, not the shape {values.shape} (accepted: [..., C], C >= 1)"
        )
    table = np.ascontiguousarray(values).reshape(math.prod(values.shape[:-1]), values.shape[-1])
    y = np.empty_like(table)
    rows(table, y, count, np.empty(count, np.float32))
    if ledger is not None:
        ledger.fill(y.size, ends_of(y), "softmax", f"float32, sums in {count} lanes")
    return y.reshape(values.shape)
