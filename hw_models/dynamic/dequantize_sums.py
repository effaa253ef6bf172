"""Dequantize sums of products whose operand was quantized at run time.

Real-number meaning: ``y = sum of x * w + bias``, from integers: ``acc`` is the sum of ``code * w``
over codes with a zero point of their own in every row, and the zero point's share is taken off
here, as a datapath does that learns it too late for its multipliers.

Formula, for row r and output o; ``f32`` rounds to float32, halves to even, and ``fma`` rounds once:

    t = acc[r, o] - x_zero_point[r] * weight_sum[o]          exact integers
    m = f32(x_scale[r] * weight_scale[o])
    y = f32(f32(t) * m)                                      without a bias
    y = f32(f32(f32(t) * m) + bias[o])                       not fused
    y = fma(f32(t), m, bias[o])                              fused

That is the order ``product``. In the order ``row_first`` the row's scale is taken first, and the
zero point's share is float32 as well, each step rounded:

    p = f32(f32(x_scale[r] * x_zero_point[r]) * f32(weight_sum[o]))
    y = f32(f32(f32(f32(acc[r, o]) * x_scale[r]) - p) * weight_scale[o])   (+ bias[o], rounded)

``weight_sum[o]`` is the sum of the weights that output o multiplies, their zero point taken off.

Corners: ``f32(t)`` rounds beyond 2**24. A product beyond float32 is infinite. The exact ``t`` must
fit 64 bits, which sums of up to 32 bits and codes of up to 16 always do.

Source: pytorch/FBGEMM QuantUtilsAvx2.cc, the epilogue ReQuantizeForFloat of
quantized::linear_dynamic, which compilers contract to the fused form. Order ``row_first``:
pytorch/ao torchao/quantization/quantize_/workflows/int8/int8_tensor.py, ``linear``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_flag, require_ledger, require_name
from hw_models._pointwise import ends_of, require_floats, require_signed
from hw_models.compiled import kernel
from hw_models.compiled.fused import fused_multiply_add
from hw_models.errors import ContractError
from hw_models.floats import nearest32

if TYPE_CHECKING:
    from hw_models.formats import FloatArray, IntArray
    from hw_models.ledger import Ledger


Order: TypeAlias = Literal["product", "row_first"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)


def reference(
    total: int, x_scale: float, weight_scale: float, bias: float | None, *, fused: bool
) -> float:
    """Dequantize one exact sum, in exact arithmetic and stated roundings: the definition."""
    factor = nearest32(Fraction(x_scale) * Fraction(weight_scale))
    narrow = nearest32(Fraction(total))
    if math.isinf(factor):
        return math.nan if narrow == 0 else math.copysign(math.inf, narrow)
    product = Fraction(narrow) * Fraction(factor)
    if bias is None:
        return nearest32(product)
    if fused:
        return nearest32(product + Fraction(bias))
    rounded = nearest32(product)
    return rounded if math.isinf(rounded) else nearest32(Fraction(rounded) + Fraction(bias))


def reference_row_first(
    acc: int,
    x_zero_point: int,
    weight_sum: int,
    x_scale: float,
    weight_scale: float,
    bias: float | None,
) -> float:
    """Dequantize one sum in the order ``row_first``, finite at every step: the definition."""
    share = nearest32(Fraction(x_scale) * x_zero_point)
    share = nearest32(Fraction(share) * Fraction(nearest32(Fraction(weight_sum))))
    scaled = nearest32(Fraction(nearest32(Fraction(acc))) * Fraction(x_scale))
    y = nearest32(Fraction(nearest32(Fraction(scaled) - Fraction(share))) * Fraction(weight_scale))
    return y if bias is None else nearest32(Fraction(y) + Fraction(bias))


@kernel
def _row_first(
    acc: Any, y: Any, scales: Any, points: Any, factors: Any, sums: Any, bias: Any, has_bias: Any
) -> None:
    for r in range(acc.shape[0]):
        scale = scales[r]
        point = scale * np.float32(points[r])
        for o in range(acc.shape[1]):
            share = point * np.float32(sums[o])
            value = (np.float32(acc[r, o]) * scale - share) * factors[o]
            y[r, o] = value + bias[o] if has_bias else value


@kernel
def _dequantize_sums(
    acc: Any, y: Any, scales: Any, points: Any, factors: Any, sums: Any, bias: Any, way: Any
) -> None:
    for r in range(acc.shape[0]):
        scale, point = scales[r], points[r]
        for o in range(acc.shape[1]):
            t = np.float32(acc[r, o] - point * sums[o])
            m = scale * factors[o]
            if way == 0:
                y[r, o] = t * m
            elif way == 1:
                y[r, o] = t * m + bias[o]
            else:
                y[r, o] = fused_multiply_add(t, m, bias[o])


def dequantize_sums(
    acc: IntArray,
    x_scale: FloatArray,
    x_zero_point: IntArray,
    weight_scale: FloatArray,
    weight_sum: IntArray,
    bias: FloatArray | None = None,
    *,
    fused: bool = True,
    order: Order = "product",
    ledger: Ledger | None = None,
) -> npt.NDArray[np.float32]:
    """Return the float32 values of sums of products [..., O].

    Args:
        acc: sums, any integer type, shape and strides; the outputs come last.
        x_scale: float32, one per row: acc's shape with length 1 in its last dimensions, as
            ``choose_qparams`` makes it; or one element.
        x_zero_point: integers of x_scale's shape.
        weight_scale: float32 [O], or [1].
        weight_sum: integers [O]: the sums of weights.
        bias: float32 [O], or None.
        fused: multiply and add the bias with one rounding; under ``product`` alone.
        order: ``product`` or ``row_first``: when the row's scale is taken.
        ledger: filled with the extremes of the result.

    Returns:
        float32 of acc's shape.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_flag(fused, "fused")
    require_name(order, "order", ORDERS)
    if fused and order == "row_first":
        raise ContractError(
            "fused must be False in the order 'row_first', not True (accepted: False)"
        )
    sums = require_signed(acc, "acc")
    if sums.ndim == 0:
        raise ContractError(
            "acc must have a dimension of outputs, not the shape () (accepted: [..., O])"
        )
    outputs = sums.shape[-1]
    scales = _per_row(require_floats(x_scale, "x_scale"), sums.shape, "x_scale")
    points = _per_row(require_signed(x_zero_point, "x_zero_point"), sums.shape, "x_zero_point")
    factors = _per_output(require_floats(weight_scale, "weight_scale"), outputs, "weight_scale")
    weights = _per_output(require_signed(weight_sum, "weight_sum"), outputs, "weight_sum")
    added = _per_output(
        np.zeros(1, np.float32) if bias is None else require_floats(bias, "bias"), outputs, "bias"
    )
    rows = np.ascontiguousarray(sums).reshape(math.prod(sums.shape[:-1]), outputs)
    _require_exact(rows, points, weights)
    y = np.empty(rows.shape, np.float32)
    tables = (
        scales, points.astype(np.int64, copy=False), factors,
        weights.astype(np.int64, copy=False), added,
    )  # fmt: skip
    if order == "row_first":
        _row_first(rows, y, *tables, bias is not None)
    else:
        _dequantize_sums(rows, y, *tables, 0 if bias is None else 2 if fused else 1)
    if ledger is not None:
        ledger.fill(y.size, ends_of(y), "dequantize_sums", "float32, step by step")
    return y.reshape(sums.shape)


def _require_exact(acc: IntArray, points: IntArray, weights: IntArray) -> None:
    """Raise ContractError where a sum less its zero point's share does not fit 64 bits."""
    large = _size(points) * _size(weights)
    small = 1 << 31 if acc.dtype.itemsize <= 4 and acc.dtype.kind == "i" else _size(acc)
    if not acc.size or small + large < 1 << 63:
        return
    exact = acc.astype(object) - np.multiply.outer(points.astype(object), weights.astype(object))
    for index, t in np.ndenumerate(exact):
        if not -(1 << 63) <= t < 1 << 63:
            raise ContractError(
                f"acc - x_zero_point * weight_sum must fit 64 bits, not {t} in row {index[0]}, "
                f"output {index[1]} (accepted: {-(1 << 63)}..{(1 << 63) - 1})"
            )


def _size(values: IntArray) -> int:
    return max(abs(int(values.min())), abs(int(values.max()))) if values.size else 0


def _per_row(table: npt.NDArray[Any], shape: tuple[int, ...], name: str) -> npt.NDArray[Any]:
    """Return one value per row of [..., O]."""
    count = math.prod(shape[:-1])
    if table.size == 1:
        return np.repeat(table.reshape(1), count)
    rank = table.ndim == len(shape) and table.shape[-1] == 1
    if not rank or any(n not in (1, size) for n, size in zip(table.shape, shape, strict=True)):
        raise ContractError(
            f"{name} must have one value per row, not the shape {table.shape} for {shape} "
            "(accepted: one element, or acc's shape with length 1 in its last dimensions)"
        )
    return np.ascontiguousarray(np.broadcast_to(table, (*shape[:-1], 1))).reshape(count)


def _per_output(table: npt.NDArray[Any], outputs: int, name: str) -> npt.NDArray[Any]:
    """Return one value per output."""
    if table.ndim != 1 or len(table) not in (1, outputs):
        raise ContractError(
            f"{name} must have one value per output, not the shape {table.shape} "
            f"(accepted: [{outputs}] or [1])"
        )
    return np.ascontiguousarray(np.broadcast_to(table, outputs))
