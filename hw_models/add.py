"""Quantized addition of two code tensors.

Real-number meaning: ``y = a + b`` where each of the three has its own scale and zero point.

Integer formula: ``clamp(scheme(a - a_zero_point, b - b_zero_point) + zero_point)``. Schemes:

* ``ShiftedAdd`` (tensorflow lite/kernels/internal/reference/integer_ops/add.h): both offset inputs
  shifted left, each rescaled by a ``FixedPoint``, added, the sum rescaled by a third. A 32-bit
  register: a shifted input or a sum outside int32 is refused (C++ leaves it undefined), and so is
  what TOSA's roundings make outside int32.
* ``AlignedAdd``: powers of two. Both shifted left, exactly, to the finer scale; added in an
  ``Accumulator``; ``PowerOfTwo`` to the output.
* ``MultiplierAdd``: ``round_shift(a * ma + b * mb, right_shift)``; with ``from_scales`` it is
  QNNPACK's (pytorch aten/src/ATen/native/quantized/cpu/qnnpack/src/requantization.h).
* ``FloatAdd``: float32, in one of the orders below; ``sX`` scales, ``zX`` zero points, every
  operation rounded to float32 unless it is inside ``fma``; ``rint`` rounds halves to even:

| formula         | value before the clamp                                          | who       |
|-----------------|-----------------------------------------------------------------|-----------|
| torch           | ``rint(((a-za)*sa + (b-zb)*sb) * (1/so)) + zo``                 | Q/DQ      |
| onnx            | ``rint(((a-za)*sa + (b-zb)*sb) / so) + zo``                     | Q/DQ      |
| torch_quantized | ``rint((fma(a,sa,sa*-za) + fma(b,sb,sb*-zb)) * (1/so)) + zo``   | torch     |
| torch_scalar    | ``rint(((a-za)*sa + (b-zb)*sb) * (1/so) + zo)``                 | torch     |
| mlas            | ``rint(fma(a, sa/so, fma(b, sb/so, f)))``,                      | ONNX      |
|                 | ``f = zo - fma(sa/so, za, (sb/so)*zb)``                         | Runtime   |

``torch_quantized`` is torch.ops.quantized.add (fbgemm, x86, onednn; signed codes under qnnpack
too), ``mlas`` is com.microsoft QLinearAdd on x86 with FMA.

Corners: in ``mlas`` the zero point is added before rounding, so with an odd one ties go the other
way, as in ``torch_scalar``: torch runs ``torch_quantized`` on whole vectors, and elements after
the last one (64 codes, with AVX512 and AVX2) go one by one, in that other order. Codes and zero
points that enter a float operation are rounded to float32 first (no more than 24 bits change
nothing); differences of codes are exact. Values beyond +-2**62 count as that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from hw_models._pointwise import output_range
from hw_models.addition.adders import (
    ADD_FORMULAS,
    Adder,
    AddFormula,
    AlignedAdd,
    FloatAdd,
    MultiplierAdd,
    ShiftedAdd,
    f32,
)
from hw_models.addition.codes import compute
from hw_models.errors import ContractError, no_case
from hw_models.formats import FixedFormat, IntArray, clamped, if_else
from hw_models.tracing import step

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.ledger import Ledger

__all__ = [
    "ADD_FORMULAS",
    "AddFormula",
    "Adder",
    "AlignedAdd",
    "FloatAdd",
    "MultiplierAdd",
    "ShiftedAdd",
    "add",
    "f32",
    "reference",
]


def reference(
    a: int,
    b: int,
    adder: Adder,
    a_zero_point: int = 0,
    b_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    clamp: tuple[int, int] | None = None,
    *,
    draw: int = 0,
    select: Select = if_else,
) -> int:
    """Add two codes: the definition. The adders' own ``reference`` also take bit-vectors.

    Args:
        a: a code.
        b: a code.
        adder: the scheme.
        a_zero_point: the code of real 0 in a.
        b_zero_point: the code of real 0 in b.
        zero_point: the code of real 0 in the result.
        output: format of the result, 8 bits signed by default.
        clamp: (low, high) of a fused activation, in output codes.
        draw: for an ``AlignedAdd`` that is ``stochastic``, ``splitmix64(seed, index)``.
        select: ``if``-expression of whoever traces it.
    """
    low, high = output_range(output or FixedFormat(8), clamp)
    if isinstance(adder, FloatAdd):
        value = adder.reference(a, b, a_zero_point, b_zero_point, zero_point)
        return min(max(value, low), high)
    codes = step(a - a_zero_point, "a_offset"), step(b - b_zero_point, "b_offset")
    if isinstance(adder, AlignedAdd):
        value = adder.reference(*codes, draw=draw, select=select)
    elif isinstance(adder, (ShiftedAdd, MultiplierAdd)):
        value = adder.reference(*codes, select=select)
    else:
        raise ContractError(no_case(adder, "adder", (k.__name__ for k in get_args(Adder))))
    code: int = clamped(step(value + zero_point, "zero_point"), low, high, select)
    return code


def add(
    a: IntArray,
    b: IntArray,
    adder: Adder,
    a_zero_point: int = 0,
    b_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    clamp: tuple[int, int] | None = None,
    ledger: Ledger | None = None,
) -> IntArray:
    """Add two code tensors.

    Args:
        a: codes of up to 32 bits.
        b: as a; the shapes broadcast as in NumPy.
        adder: the scheme with its parameters.
        a_zero_point: the code of real 0 in a.
        b_zero_point: the code of real 0 in b.
        zero_point: the code of real 0 in the result.
        output: format of 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        ledger: filled with the extremes of the value before the clamp (``AlignedAdd``: of its
            accumulator), with what the clamp changed, and with the registers: ``AlignedAdd``'s
            accumulator; ``ShiftedAdd``'s shifted operands, their sum, and those of its rescales.

    Returns:
        Codes in ``output.dtype``; the memory order of ``a`` where both have one shape.

    Raises:
        ContractError: for arguments outside the contract.
        AccumulatorOverflowError: from an ``AlignedAdd`` whose accumulator's overflow is ``error``.
    """
    zero_points = (a_zero_point, b_zero_point, zero_point)
    return compute("add", a, b, adder, zero_points, output, clamp, ledger)
