"""Linear with weights in groups: a scale for every group of inputs, sums of groups in float32.

Real-number meaning: ``y = sum of x * w + bias``, with ``x = x_scale * (code - x_zero_point)`` of
each row, quantized at run time, and ``w = weight_scale * (code - weight_zero_point)`` of each
output and group. Weights have 8 bits or fewer, 4 as a rule.

Formula, for row r and output o; group g holds the inputs ``g * size`` to ``(g + 1) * size - 1``;
``f32`` rounds to float32, halves to even; ``mad(a, b, c)`` is ``f32(f32(a * b) + c)``, or
``f32(a * b + c)`` where the target fuses; groups ascend:

    t[g] = sum over k of g of (x[r, k] - x_zero_point[r])
           * (weight[o, k] - weight_zero_point[o, g])               exact integers

    order "row":    a = 0;  a = mad(f32(t[g]), weight_scale[o, g], a) for each g
                    y = f32(a * x_scale[r]), or mad(a, x_scale[r], bias[o])
    order "group":  a = 0;  a = mad(f32(t[g]), f32(x_scale[r] * weight_scale[o, g]), a) for each g
                    y = a, or f32(a + bias[o])

Corners: ``f32(t[g])`` rounds beyond 2**24. A product beyond float32 is infinite. No inputs give
the bias, or 0.

Source: order "row", not fused: pytorch aten/src/ATen/native/cpu/int4mm_kernel.cpp, the reference
kernel of _dyn_quant_matmul_4bit in groups (4-bit weights less 8, no bias).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array, require_flag, require_ledger, require_name
from hw_models._pointwise import (
    as_int64,
    ends_of,
    require_codes,
    require_floats,
    require_integers,
)
from hw_models.compiled import kernel
from hw_models.compiled.fused import fused_multiply_add
from hw_models.errors import ContractError
from hw_models.floats import nearest32
from hw_models.formats import FixedFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FloatArray, IntArray
    from hw_models.ledger import Ledger

Order: TypeAlias = Literal["row", "group"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
# Codes of 8 bits with a sign or without one, and zero points among them.
CODES: Final = FixedFormat(9)


def reference(
    sums: Sequence[int],
    x_scale: float,
    weight_scale: Sequence[float],
    bias: float | None,
    order: Order,
    *,
    fused: bool,
) -> float:
    """Make one value of the exact sums of its groups, finite at every step: the definition."""
    total = 0.0
    for t, scale in zip(sums, weight_scale, strict=True):
        factor = nearest32(Fraction(x_scale) * Fraction(scale)) if order == "group" else scale
        total = _mad(nearest32(Fraction(t)), factor, total, fused=fused)
    if order == "group":
        return total if bias is None else nearest32(Fraction(total) + Fraction(bias))
    if bias is None:
        return nearest32(Fraction(total) * Fraction(x_scale))
    return _mad(total, x_scale, bias, fused=fused)


def _mad(a: float, b: float, c: float, *, fused: bool) -> float:
    product = Fraction(a) * Fraction(b)
    return nearest32((product if fused else Fraction(nearest32(product))) + Fraction(c))


@kernel
def _sums(left: Any, right: Any, x_zeros: Any, zeros: Any, size: Any, t: Any) -> None:
    """Write the exact sums of the groups [rows, outputs, groups]; codes are int16."""
    for r in range(t.shape[0]):
        point = np.int32(x_zeros[r])
        for o in range(t.shape[1]):
            for g in range(t.shape[2]):
                zero, start = np.int32(zeros[o, g]), g * size
                total = np.int32(0)
                for i in range(start, start + size):
                    total += (np.int32(left[r, i]) - point) * (np.int32(right[o, i]) - zero)
                t[r, o, g] = total


@kernel
def _values(
    t: Any, y: Any, scales: Any, factors: Any, bias: Any, has_bias: Any, by_row: Any, fused: Any
) -> None:
    for r in range(y.shape[0]):
        scale = scales[r]
        for o in range(y.shape[1]):
            a = np.float32(0)
            for g in range(t.shape[2]):
                v = np.float32(t[r, o, g])
                m = factors[o, g] if by_row else scale * factors[o, g]
                a = fused_multiply_add(v, m, a) if fused else v * m + a
            if by_row and has_bias:
                a = fused_multiply_add(a, scale, bias[o]) if fused else a * scale + bias[o]
            elif by_row:
                a = a * scale
            elif has_bias:
                a = a + bias[o]
            y[r, o] = a


def linear_groups(
    x: IntArray,
    weight: IntArray,
    x_scale: FloatArray,
    x_zero_point: IntArray,
    weight_scale: FloatArray,
    weight_zero_point: IntArray | None = None,
    bias: FloatArray | None = None,
    *,
    order: Order = "row",
    fused: bool = False,
    ledger: Ledger | None = None,
) -> npt.NDArray[np.float32]:
    """Multiply rows of codes with weights in groups.

    Args:
        x: codes [..., K] of 8 bits, any integer dtype and strides.
        weight: codes [O, K] of 8 bits or fewer.
        x_scale: float32, one per row: x's shape with length 1 in its last dimensions, as
            ``choose_qparams`` makes it; or one element.
        x_zero_point: codes of x_scale's shape.
        weight_scale: float32 [O, groups]; groups of equal length make up K.
        weight_zero_point: codes [O, groups]; None: all are 0.
        bias: float32 [O], or None.
        order: ``row`` or ``group``: when the row's scale is taken.
        fused: products and sums are rounded once.
        ledger: filled with the extremes of the result.

    Returns:
        float32 [..., O].

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_name(order, "order", ORDERS)
    require_flag(fused, "fused")
    codes, factors = _codes(x, "x"), _codes(weight, "weight")
    scales = require_floats(weight_scale, "weight_scale")
    size = group_size(factors.shape, scales.shape)
    outputs, depth = factors.shape
    if codes.ndim == 0 or codes.shape[-1] != depth:
        raise ContractError(
            f"x must have shape [..., {depth}] as the weight has, not {codes.shape} "
            f"(accepted: a last dimension of {depth})"
        )
    zeros = np.zeros(scales.shape, np.int64)
    if weight_zero_point is not None:
        zeros = _codes(weight_zero_point, "weight_zero_point")
        _require_shape(zeros, scales.shape, "weight_zero_point")
    added = np.zeros(outputs, np.float32) if bias is None else require_floats(bias, "bias")
    _require_shape(added, (outputs,), "bias")
    lead = codes.shape[:-1]
    row_scales = per_row(require_floats(x_scale, "x_scale"), lead, "x_scale")
    points = per_row(_codes(x_zero_point, "x_zero_point"), lead, "x_zero_point")
    rows = codes.reshape(math.prod(lead), depth)
    t = np.empty((len(rows), *scales.shape), np.int32)
    _sums(rows.astype(np.int16), factors.astype(np.int16), points, zeros, size, t)
    y = np.empty((len(rows), outputs), np.float32)
    _values(
        t, y, row_scales, np.ascontiguousarray(scales), np.ascontiguousarray(added),
        bias is not None, order == "row", fused,
    )  # fmt: skip
    if ledger is not None:
        ledger.fill(y.size, ends_of(y), f"linear-groups-{order}", "float32, step by step")
    return y.reshape(*lead, outputs)


def group_size(weight: tuple[int, ...], scale: tuple[int, ...]) -> int:
    """Return the inputs of a group, 32-bit sums of which cannot overflow.

    Raises:
        ContractError: groups of unequal length, or longer than 4096.
    """
    if len(weight) != 2 or len(scale) != 2 or scale[0] != weight[0]:
        raise ContractError(
            f"weight must have shape [O, K] and weight_scale [O, groups], not {weight} and {scale} "
            "(accepted: one O)"
        )
    groups, depth = scale[1], weight[1]
    if groups == 0 or depth % groups or not 1 <= depth // groups <= 4096:
        raise ContractError(
            f"groups must have equal lengths, not {groups} groups of {depth} inputs "
            f"(accepted: a number that divides {depth}, groups of 1 to 4096)"
        )
    return depth // groups


def per_row(table: npt.NDArray[Any], lead: tuple[int, ...], name: str) -> npt.NDArray[Any]:
    """Return one value for each row of [..., K], whose leading sizes are given.

    Raises:
        ContractError: another number of values.
    """
    count = math.prod(lead)
    if table.size == 1:
        return np.repeat(table.reshape(1), count)
    pairs = zip(table.shape, (*lead, 1), strict=False)
    if table.ndim != len(lead) + 1 or any(n not in (1, size) for n, size in pairs):
        raise ContractError(
            f"{name} must have one value per row, not the shape {table.shape} for rows {lead} "
            "(accepted: one element, or x's shape with length 1 in its last dimensions)"
        )
    return np.ascontiguousarray(np.broadcast_to(table, (*lead, 1))).reshape(count)


def _codes(values: Any, name: str) -> npt.NDArray[np.int64]:
    codes = as_int64(require_integers(as_array(values, name), name), name)
    require_codes(codes, name, CODES)
    return codes


def _require_shape(table: npt.NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    if table.shape != shape:
        raise ContractError(
            f"{name} must have shape {shape}, not {table.shape} (accepted: {shape})"
        )
