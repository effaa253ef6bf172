"""Quantized multiplication of two code tensors, element by element.

Real-number meaning: ``y = a * b`` where each of the three has its own scale and zero point.

Integer formula: ``clamp(scheme((a - a_zero_point) * (b - b_zero_point)) + zero_point)``: the exact
product, and one rescale by ``s_a * s_b / s_y`` under any requantizer of ``hw_models.schemes``.

| scheme                     | who                                                             |
|----------------------------|-----------------------------------------------------------------|
| ``FixedPoint(.., double)`` | TFLite and TFLite-Micro, int8 and int16                         |
|                            | (lite/kernels/internal/reference/integer_ops/mul.h); CMSIS-NN   |
| ``PowerOfTwo``             | Q-format: q15 times q15, shifted by 15                          |
| ``FloatScale``             | torch.ops.quantized.mul                                         |

Corners: TFLite derives its multiplier from the float32 ``(s_a * s_b) / s_y`` (lite/kernels/mul.cc),
not from float64; with int16 codes the difference shows. What a scheme refuses of an accumulator it
refuses of a product (``double``: outside int32). A product outside 64 bits, possible with codes of
32 bits, is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import require_ledger
from hw_models._broadcast import broadcast_shape, codes_of
from hw_models._pointwise import INT64_MAX, INT64_MIN, extremes, require_int
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray, if_else
from hw_models.requantize import reference as requantize_reference
from hw_models.requantize import requantize
from hw_models.tracing import step

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.ledger import Ledger
    from hw_models.schemes import Requantizer


def reference(
    a: int,
    b: int,
    requantizer: Requantizer,
    a_zero_point: int = 0,
    b_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    clamp: tuple[int, int] | None = None,
    *,
    channel: int = 0,
    draw: int = 0,
    select: Select = if_else,
) -> int:
    """Multiply two codes: the definition; channel, draw and select as in requantize."""
    product = step((a - a_zero_point) * (b - b_zero_point), "product")
    code: int = requantize_reference(
        product, requantizer, zero_point, output, clamp, channel=channel, draw=draw, select=select
    )
    return code


def mul(
    a: IntArray,
    b: IntArray,
    requantizer: Requantizer,
    a_zero_point: int = 0,
    b_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    clamp: tuple[int, int] | None = None,
    axis: int = 1,
    ledger: Ledger | None = None,
) -> IntArray:
    """Multiply two code tensors.

    Args:
        a: codes of up to 32 bits.
        b: as a; the shapes broadcast as in NumPy.
        requantizer: the rescale of the product.
        a_zero_point: the code of real 0 in a.
        b_zero_point: the code of real 0 in b.
        zero_point: the code of real 0 in the result.
        output: format of 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        axis: the dimension of the result that per-channel parameters run along.
        ledger: filled as by ``requantize`` of the products.

    Returns:
        Codes in ``output.dtype``; the memory order of ``a`` where both have one shape and order.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    x, y = codes_of(a, "a"), codes_of(b, "b")
    broadcast_shape(x, y)
    zeros = [
        require_int(z, f"{name}_zero_point", -(1 << 32), 1 << 32)
        for name, z in (("a", a_zero_point), ("b", b_zero_point))
    ]
    product = _product(x, y, zeros[0], zeros[1])
    result = requantize(product, requantizer, zero_point, output, clamp, axis, ledger=ledger)
    if ledger is not None:
        ledger.kernel = f"mul-{ledger.kernel}"
    return result


def _product(x: IntArray, y: IntArray, x_zero: int, y_zero: int) -> IntArray:
    """Return the exact products of the offset codes, in int32 where that holds every step."""
    spans = [_span(x_zero, _bounds(x)), _span(y_zero, _bounds(y))]
    if spans[0] * spans[1] > INT64_MAX:
        spans = [_span(x_zero, extremes(x)), _span(y_zero, extremes(y))]
        if spans[0] * spans[1] > INT64_MAX:
            _refuse(x, y, x_zero, y_zero)
    kind = np.int32 if max(*spans, spans[0] * spans[1]) < 1 << 31 else np.int64
    product: IntArray = np.asarray(_offset(x, x_zero, kind) * _offset(y, y_zero, kind))
    return product


def _offset(x: IntArray, zero: int, kind: Any) -> Any:
    return x.astype(kind) - kind(zero)


def _span(zero: int, ends: tuple[int, int]) -> int:
    """Return a bound of codes, of their zero point and of the difference, in magnitude."""
    return max(abs(v) for v in (*ends, zero, ends[0] - zero, ends[1] - zero))


def _bounds(x: IntArray) -> tuple[int, int]:
    """Return bounds of x: those of its type where it is narrow, which spares a pass over it."""
    if x.dtype.itemsize > 2:
        return extremes(x)
    info = np.iinfo(x.dtype)
    return int(info.min), int(info.max)


def _refuse(x: IntArray, y: IntArray, x_zero: int, y_zero: int) -> None:
    """Name the first product outside 64 bits, if the operands that meet make one."""
    exact = np.asarray((x.astype(object) - x_zero) * (y.astype(object) - y_zero))
    wrong = np.argwhere((exact < INT64_MIN) | (exact > INT64_MAX))
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        raise ContractError(
            f"the product of the offset codes must fit 64 bits, not {exact[index]} at index "
            f"{index} (accepted: -2**63..2**63-1)"
        )
