"""Jobs of integer_function: one beat for each code, with the numbers of its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.cosim.jobs import rescaled
from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import one_beat_each
from qsim.cosim.jobs.operands import code_width_of
from qsim.cosim.jobs.unit import Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.target import Target

EXPONENTIAL_SOURCES: Final = ("quotient.sv", "exponential.sv")
SOURCES: Final = (
    *rescaled.SOURCES,
    *EXPONENTIAL_SOURCES,
    "exponential_gate.sv",
    "gelu_curve.sv",
    "newton_step.sv",
    "newton_scale.sv",
    "newton_inverse.sv",
    "newton_root.sv",
    "integer_function_core.sv",
    "integer_function.sv",
)
KINDS: Final = ("IbertExp", "ExpSigmoid", "ExpSilu", "IbertGelu", "NewtonReciprocal", "NewtonRsqrt")
# Bits of the numbers of units, and whether they are signed.
_NUMBERS: Final[Mapping[str, tuple[int, bool]]] = {
    "left_shift": (6, True),
    "ln2": (13, False),
    "b": (15, False),
    "knee": (15, False),
    "drop": (4, False),
    "multiplier": (16, False),
    "right_shift": (6, False),
}
_ONE: Final = {"ln2": 28, "knee": 29}  # bits of `one`, by the constant that it belongs to


def exponential_numbers(exponential: Any) -> dict[str, int]:
    """Return the constants of an exponential as ``exponential.sv`` takes them, in its order."""
    return {name: getattr(exponential, name) for name in ("left_shift", "ln2", "b", "one")}


def unit_numbers(unit: Any) -> dict[str, int]:
    """Return the numbers of a unit as ``integer_function_core.sv`` takes them, in its order."""
    from hw_models.integer.curves import gate_shift, term_shift

    match KINDS.index(type(unit).__name__):
        case 0:
            return exponential_numbers(unit.exponential)
        case 1 | 2:
            drop = term_shift(unit.exponential.one, 16)
            return exponential_numbers(unit.exponential) | {"drop": drop}
        case 3:
            held = {name: getattr(unit, name) for name in ("left_shift", "knee", "one")}
            return held | {"drop": gate_shift(unit.one)}
        case _:
            return {name: getattr(unit, name) for name in ("multiplier", "right_shift")}


def number_widths(numbers: Mapping[str, int]) -> dict[str, tuple[int, bool]]:
    """Return the bits of such numbers, and whether they are signed, by name."""
    one = next((bits for name, bits in _ONE.items() if name in numbers), 0)
    return {name: (one, False) if name == "one" else _NUMBERS[name] for name in numbers}


def job(case: Case, target: Target) -> Job:
    """Return the beats of one call, an element each, in C order.

    Raises:
        UsageError: a rescale without RTL.
    """
    from hw_models.schemes import PowerOfTwo
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    unit = decode_scheme(attributes["scheme"], case.constants)
    kind = KINDS.index(type(unit).__name__)
    made = rescaled.Rescaled()
    code = code_width_of(target, case.codes["x"])
    made.parameters = {"IN_W": code.bits, "IN_SIGNED": int(code.signed), "KIND": kind}
    made.add("code", code.bits, case.operands["x"].reshape(-1), signed=code.signed)
    made.add("origin", code.bits + 1, unit.top if kind == 0 else unit.input_zero_point)
    numbers = unit_numbers(unit)
    for name, (bits, signed) in number_widths(numbers).items():
        made.add(name, bits, numbers[name], signed=signed)
    rescale = getattr(unit, "rescale", PowerOfTwo(0))
    made.finish(case, target, rescale, unit.zero_point)
    result = Field("y", made.parameters["OUT_W"], signed=case.codes["output"].signed)
    inputs, outputs = Layout(tuple(made.fields)), Layout((result,))
    served = Unit(case.primitive, case.primitive, SOURCES, made.parameters, inputs, outputs)
    return one_beat_each(case, served, made.values)
