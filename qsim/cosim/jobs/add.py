"""Jobs of add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.bias_add import overflow_code
from qsim.cosim.jobs.elementwise import (
    RESCALE_SOURCES,
    SHIFT,
    code_fields,
    code_limits,
    code_width,
    draws,
    no_rtl,
    one_beat_each,
    signed_width,
)
from qsim.cosim.jobs.unit import Unit
from qsim.errors import UsageError

if TYPE_CHECKING:
    from hw_models.add import AlignedAdd, MultiplierAdd, ShiftedAdd
    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

SOURCES: Final = (
    *RESCALE_SOURCES,
    "fixed_rescale.sv",
    "overflow.sv",
    "add_shifted.sv",
    "add_aligned.sv",
    "add_multiplier.sv",
    "add_core.sv",
    "add.sv",
)
ACCEPTED: Final = (
    "shifted_add of one rounding (double, single or tosa-single), aligned_add, multiplier_add"
)
_LEFT: Final = 6  # bits of the left shifts of `aligned`
_MULTIPLIER: Final = 24  # bits of a multiplier of MultiplierAdd


def job(case: Case, target: Target) -> Job:
    """Return the beats of one addition, an element of the result each, in C order.

    Raises:
        UsageError: an adder without RTL.
    """
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    adder = decode_scheme(attributes["scheme"], case.constants)
    parameters, fields, values = adder_parts(case, adder, target)
    points = [attributes[name] for name in ("a_zero_point", "b_zero_point", "zero_point")]
    in_w, in_signed = _operand(case, target, points[:2])
    out_w = code_width(max(target.output.bits, case.codes["output"].bits), points[2])
    parameters |= {"IN_W": in_w, "IN_SIGNED": int(in_signed), "OUT_W": out_w}
    fields = [
        Field("a", in_w, signed=in_signed),
        Field("b", in_w, signed=in_signed),
        Field("a_zero_point", in_w + 1, signed=True),
        Field("b_zero_point", in_w + 1, signed=True),
        *(field for field in fields if field.name != "draw"),
        *code_fields(out_w),
        *(field for field in fields if field.name == "draw"),
    ]
    low, high = code_limits(case)
    values |= {"a": _spread(case, "a"), "b": _spread(case, "b"), "low": low, "high": high}
    values |= dict(zip(("a_zero_point", "b_zero_point", "zero_point"), points, strict=True))
    outputs = Layout((Field("y", out_w, signed=case.codes["output"].signed),))
    unit = Unit("add", "add", SOURCES, parameters, Layout(tuple(fields)), outputs)
    return one_beat_each(case, unit, values)


_Parts = tuple[dict[str, int], list[Field], "dict[str, Array | int]"]


def adder_parts(case: Case, adder: Any, target: Target) -> _Parts:
    """Return the parameters, the fields and the values of an adder's scales.

    Raises:
        UsageError: an adder without RTL.
    """
    from hw_models.add import AlignedAdd, MultiplierAdd, ShiftedAdd

    if isinstance(adder, ShiftedAdd):
        return _shifted(case, adder, target)
    if isinstance(adder, AlignedAdd):
        return _aligned(adder, case.expected.size)
    if isinstance(adder, MultiplierAdd):
        return _multiplier(adder)
    raise UsageError(**no_rtl(case, f"the scheme {_kind(case)}"), accepted=ACCEPTED)


def _kind(case: Case) -> object:
    scheme: Any = case.attributes["scheme"]
    return scheme["kind"]


def _shifted(case: Case, adder: ShiftedAdd, target: Target) -> _Parts:
    rescales = {"a": adder.a, "b": adder.b, "out": adder.out}
    match adder.out.rounding:
        case "double":
            double = True
        case "single" | "tosa-single":
            double = False
        case "double-half-up" | "s64-reduced" | "tosa-double":
            what = f"the scheme {_kind(case)} with the rounding {adder.out.rounding!r}"
            raise UsageError(**no_rtl(case, what), accepted=ACCEPTED)
        case _:
            assert_never(adder.out.rounding)
    widths = {scheme.bits for scheme in rescales.values()}
    if len({scheme.rounding for scheme in rescales.values()}) > 1 or (double and len(widths) > 1):
        what = f"the scheme {_kind(case)} with different rescalings"
        raise UsageError(**no_rtl(case, what), accepted=ACCEPTED)
    # Only `double` rounds by the multiplier's own width.
    mul_w = max(widths) if double else max(*widths, target.requantize.multiplier_bits)
    fields, values = [], {}
    for name, scheme in rescales.items():
        fields.append(Field(f"{name}_multiplier", mul_w, signed=True))
        fields.append(Field(f"{name}_shift", SHIFT, signed=True))
        values[f"{name}_multiplier"] = int(scheme.multipliers[0])
        values[f"{name}_shift"] = int(scheme.shifts[0])
    parameters = {"SCHEME": int(not double), "MUL_W": mul_w, "LEFT_SHIFT": adder.left_shift}
    return parameters, fields, dict(values)


def _aligned(adder: AlignedAdd, count: int) -> _Parts:
    from hw_models.rounding import rounding_code

    fields = [Field(name, _LEFT, signed=False) for name in ("a_left", "b_left")]
    fields.append(Field("shift", SHIFT, signed=True))
    values: dict[str, Array | int] = {
        "a_left": adder.left_a,
        "b_left": adder.left_b,
        "shift": int(adder.out.shifts[0]),
    }
    if adder.out.rounding == "stochastic":
        fields.append(Field("draw", 64, signed=False))
        values["draw"] = draws(adder.out.seed, count)
    parameters = {
        "SCHEME": 2,
        "SUM_W": adder.accumulator.bits,
        "OVERFLOW": overflow_code(adder.accumulator),
        "ROUNDING": rounding_code(adder.out.rounding),
    }
    return parameters, fields, values


def _multiplier(adder: MultiplierAdd) -> _Parts:
    from hw_models.rounding import rounding_code

    fields = [
        Field("a_multiplier", _MULTIPLIER, signed=True),
        Field("b_multiplier", _MULTIPLIER, signed=True),
        Field("shift", SHIFT, signed=True),
    ]
    values: dict[str, Array | int] = {
        "a_multiplier": adder.multiplier_a,
        "b_multiplier": adder.multiplier_b,
        "shift": adder.right_shift,
    }
    parameters = {"SCHEME": 3, "MUL_W": _MULTIPLIER, "ROUNDING": rounding_code(adder.rounding)}
    return parameters, fields, values


def _operand(case: Case, target: Target, points: list[int]) -> tuple[int, bool]:
    """Return width and sign of the fields a and b: one kind for both."""
    formats = (case.codes["a"], case.codes["b"], target.input.format)
    signed = any(form.signed for form in formats)
    widest = signed_width(*formats) if signed else max(form.bits for form in formats)
    return code_width(widest, *points), signed


def _spread(case: Case, name: str) -> Array:
    """Return an operand as it meets each element of the result, in C order."""
    return np.broadcast_to(case.operands[name], case.expected.shape).reshape(-1)
