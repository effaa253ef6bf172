"""Requantizers as ``requantize.sv`` takes them: the number of a scheme, its widths, its fields.

Several schemes are one datapath. TOSA's single rounding is ``single`` with a multiplier that is not
negative; NVDLA's converter subtracts its offset where others subtract the input's zero point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from hw_models.formats import signed_bits
from hw_models.rounding import rounding_code
from hw_models.schemes import (
    MAX_SHIFT,
    Converter,
    FixedPoint,
    FixedRounding,
    MulAddShift,
    PowerOfTwo,
)
from qsim.cosim.jobs.beats import Field
from qsim.cosim.jobs.elementwise import SHIFT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models.schemes import FixedRounding
    from qsim.program import Array
    from qsim.target import Target

IntegerScheme: TypeAlias = FixedPoint | PowerOfTwo | MulAddShift | Converter
INTEGER_SCHEMES: Final = (FixedPoint, PowerOfTwo, MulAddShift, Converter)
ACCEPTED: Final = "fixed_point, power_of_two, mul_add_shift, converter"
POWER_OF_TWO, CONVERTER, MULTIPLY_ADD = 2, 4, 7  # SCHEME; of fixed point see fixed_code
ADDEND: Final = 48  # bits of an addend


def fixed_code(rounding: FixedRounding) -> int:
    """Return the SCHEME of a fixed-point rounding."""
    match rounding:
        case "double":
            return 0
        case "single" | "tosa-single":
            return 1
        case "double-half-up":
            return 3
        case "tosa-double":
            return 5
        case "s64-reduced":
            return 6
        case _:
            assert_never(rounding)


def scheme_parameters(scheme: IntegerScheme, target: Target) -> dict[str, int]:
    """Return SCHEME, ROUNDING and, where there are such fields, MUL_W and ADD_W."""
    if isinstance(scheme, PowerOfTwo):
        return {"SCHEME": POWER_OF_TWO, "ROUNDING": rounding_code(scheme.rounding)}
    if isinstance(scheme, Converter):
        return {"SCHEME": CONVERTER, "ROUNDING": 0, "MUL_W": 16}
    width = target.requantize.multiplier_bits
    if isinstance(scheme, MulAddShift):
        least, most = int(scheme.multipliers.min()), int(scheme.multipliers.max())
        parameters = {"SCHEME": MULTIPLY_ADD, "ROUNDING": rounding_code(scheme.rounding)}
        return parameters | {"MUL_W": max(width, signed_bits(least, most)), "ADD_W": ADDEND}
    if isinstance(scheme, FixedPoint):
        # `single` does not know the width of its multiplier; the others state it.
        wide = max(scheme.bits, width) if scheme.rounding == "single" else scheme.bits
        return {"SCHEME": fixed_code(scheme.rounding), "ROUNDING": 0, "MUL_W": wide}
    assert_never(scheme)


def scheme_fields(parameters: Mapping[str, int]) -> tuple[Field, ...]:
    """Return the fields of a requantizer's numbers, in their order."""
    fields = [Field("shift", SHIFT, signed=True)]
    if "ADD_W" in parameters:
        fields.insert(0, Field("addend", parameters["ADD_W"], signed=True))
    if "MUL_W" in parameters:
        fields.insert(0, Field("multiplier", parameters["MUL_W"], signed=True))
    return tuple(fields)


def scheme_numbers(scheme: IntegerScheme) -> dict[str, Array]:
    """Return what the fields hold: a number, or one for each channel."""
    match scheme:
        case PowerOfTwo():
            return {"shift": scheme.shifts}
        case FixedPoint() | Converter():
            return {"shift": scheme.shifts, "multiplier": scheme.multipliers}
        case MulAddShift():
            numbers = {"shift": scheme.shifts, "multiplier": scheme.multipliers}
            return numbers | {"addend": scheme.addends}
        case _:
            assert_never(scheme)


def scheme_shifts(scheme: IntegerScheme) -> tuple[int, int]:
    """Return the smallest and the largest right shift that a scheme takes."""
    match scheme:
        case PowerOfTwo():
            return -MAX_SHIFT, MAX_SHIFT
        case FixedPoint():
            return scheme.shift_range
        case MulAddShift() | Converter():
            return 0, MAX_SHIFT
        case _:
            assert_never(scheme)


def scheme_offset(scheme: IntegerScheme) -> int | tuple[int, ...]:
    """Return what a scheme subtracts itself, beside the input's zero point."""
    match scheme:
        case Converter():
            return scheme.offset
        case FixedPoint() | PowerOfTwo() | MulAddShift():
            return 0
        case _:
            assert_never(scheme)


def draws_numbers(scheme: IntegerScheme) -> bool:
    """Return whether every element takes a random number."""
    return isinstance(scheme, PowerOfTwo) and scheme.rounding == "stochastic"
