"""Quantized subtraction of two code tensors.

Real-number meaning: ``y = a - b`` where each of the three has its own scale and zero point.

Integer formula: that of ``hw_models.add``, every scheme of it, with the second term negated:
``clamp(scheme(a - a_zero_point, -(b - b_zero_point)) + zero_point)``.

Corners: ``ShiftedAdd`` rounds what it rescales, and ties go another way where the rescaled b is
subtracted than where -b is rescaled. Both exist, and ``negate`` says which:

| negate  | sum that is rescaled last    | who                                                     |
|---------|------------------------------|---------------------------------------------------------|
| term    | ``A(a << k) - B(b << k)``    | TFLite-Micro; LiteRT 2.3                                |
| operand | ``A(a << k) + B(-(b << k))`` | older TensorFlow Lite, which negates ``B``'s multiplier |

Negating the multiplier of ``B`` or its operand is the same, for only their product is rounded. In
the other schemes the two are one: they shift exactly, or round float32 symmetrically. Sources:
tensorflow lite/kernels/internal/reference/sub.h, lite/kernels/sub.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from hw_models._arguments import require_name
from hw_models._pointwise import output_range
from hw_models.add import reference as add_reference
from hw_models.addition.adders import Adder, ShiftedAdd
from hw_models.addition.codes import compute
from hw_models.errors import ContractError, no_case
from hw_models.formats import FixedFormat, IntArray, clamped, if_else
from hw_models.tracing import step

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.ledger import Ledger

Negate: TypeAlias = Literal["term", "operand"]
NEGATES: Final[tuple[Negate, ...]] = get_args(Negate)


def reference(
    a: int,
    b: int,
    adder: Adder,
    a_zero_point: int = 0,
    b_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    clamp: tuple[int, int] | None = None,
    negate: Negate = "term",
    *,
    select: Select = if_else,
) -> int:
    """Subtract two codes: the definition; select is the ``if``-expression of whoever traces it."""
    if _of_operand(negate) or not isinstance(adder, ShiftedAdd):
        points = a_zero_point, -b_zero_point, zero_point
        return add_reference(a, -b, adder, *points, output, clamp, select=select)
    low, high = output_range(output or FixedFormat(8), clamp)
    shifted = ((a - a_zero_point) << adder.left_shift, (b - b_zero_point) << adder.left_shift)
    first = adder.a.reference(shifted[0], select=select)
    difference = step(first - adder.b.reference(shifted[1], select=select), "difference")
    value = step(adder.out.reference(difference, select=select) + zero_point, "zero_point")
    code: int = clamped(value, low, high, select)
    return code


def _of_operand(negate: Negate) -> bool:
    match negate:
        case "term":
            return False
        case "operand":
            return True
        case _:
            raise ContractError(no_case(negate, "negate", NEGATES))


def sub(
    a: IntArray,
    b: IntArray,
    adder: Adder,
    a_zero_point: int = 0,
    b_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    clamp: tuple[int, int] | None = None,
    negate: Negate = "term",
    ledger: Ledger | None = None,
) -> IntArray:
    """Subtract one code tensor from another.

    Args:
        a: codes of up to 32 bits.
        b: as a; the shapes broadcast as in NumPy.
        adder: the scheme with its parameters, as for ``add``: its b rescales the subtrahend.
        a_zero_point: the code of real 0 in a.
        b_zero_point: the code of real 0 in b.
        zero_point: the code of real 0 in the result.
        output: format of 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        negate: ``term`` or ``operand``: only ``ShiftedAdd`` tells them apart; see the module.
        ledger: filled as by ``add``.

    Returns:
        Codes in ``output.dtype``; the memory order of ``a`` where both have one shape.

    Raises:
        ContractError: for arguments outside the contract.
        AccumulatorOverflowError: from an ``AlignedAdd`` whose accumulator's overflow is ``error``.
    """
    require_name(negate, "negate", NEGATES)
    subtract = negate == "term" and isinstance(adder, ShiftedAdd)
    zero_points = (a_zero_point, b_zero_point, zero_point)
    return compute(
        "sub", a, b, adder, zero_points, output, clamp, ledger,
        negate=not subtract, sign=-1 if subtract else 1,
    )  # fmt: skip
