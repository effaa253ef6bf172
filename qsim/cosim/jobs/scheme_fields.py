"""Requantizers as ``requantize.sv`` takes them: the number of a scheme, its widths, its fields.

Several schemes are one datapath. TOSA's single rounding is ``single`` with a multiplier that is not
negative; NVDLA's converter subtracts its offset where others subtract the input's zero point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, assert_never

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

    from qsim.program.attributes import Array
    from qsim.target import Target

IntegerScheme: TypeAlias = FixedPoint | PowerOfTwo | MulAddShift | Converter
INTEGER_SCHEMES: Final = (FixedPoint, PowerOfTwo, MulAddShift, Converter)
ACCEPTED: Final = "fixed_point, power_of_two, mul_add_shift, converter"
POWER_OF_TWO, CONVERTER, MULTIPLY_ADD = 2, 4, 7  # SCHEME
FIXED: Final[Mapping[FixedRounding, int]] = {
    "double": 0,
    "single": 1,
    "double-half-up": 3,
    "tosa-single": 1,
    "tosa-double": 5,
    "s64-reduced": 6,
}
ADDEND: Final = 48  # bits of an addend


def scheme_parameters(scheme: IntegerScheme, target: Target) -> dict[str, int]:
    """Return SCHEME, ROUNDING and, where there are such fields, MUL_W and ADD_W."""
    if isinstance(scheme, PowerOfTwo):
        return {"SCHEME": POWER_OF_TWO, "ROUNDING": rounding_code(scheme.rounding)}
    if isinstance(scheme, Converter):
        return {"SCHEME": CONVERTER, "ROUNDING": 0, "MUL_W": 16}
    width = target.requantize.multiplier_bits
    if isinstance(scheme, FixedPoint):
        # `single` does not know the width of its multiplier; the others state it.
        wide = max(scheme.bits, width) if scheme.rounding == "single" else scheme.bits
        return {"SCHEME": FIXED[scheme.rounding], "ROUNDING": 0, "MUL_W": wide}
    if isinstance(scheme, MulAddShift):
        least, most = int(scheme.multipliers.min()), int(scheme.multipliers.max())
        parameters = {"SCHEME": MULTIPLY_ADD, "ROUNDING": rounding_code(scheme.rounding)}
        return parameters | {"MUL_W": max(width, signed_bits(least, most)), "ADD_W": ADDEND}
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
    numbers: dict[str, Any] = {"shift": scheme.shifts}
    if not isinstance(scheme, PowerOfTwo):
        numbers["multiplier"] = scheme.multipliers
    if isinstance(scheme, MulAddShift):
        numbers["addend"] = scheme.addends
    return numbers


def scheme_shifts(scheme: IntegerScheme) -> tuple[int, int]:
    """Return the smallest and the largest right shift that a scheme takes."""
    if isinstance(scheme, PowerOfTwo):
        return -MAX_SHIFT, MAX_SHIFT
    return scheme.shift_range if isinstance(scheme, FixedPoint) else (0, MAX_SHIFT)


def scheme_offset(scheme: IntegerScheme) -> int | tuple[int, ...]:
    """Return what a scheme subtracts itself, beside the input's zero point."""
    return scheme.offset if isinstance(scheme, Converter) else 0


def draws_numbers(scheme: IntegerScheme) -> bool:
    """Return whether every element takes a random number."""
    return isinstance(scheme, PowerOfTwo) and scheme.rounding == "stochastic"
