"""Jobs of requantize, and of clamp, which is a requantization by a shift of 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import (
    RESCALE_SOURCES,
    code_fields,
    code_limits,
    code_width,
    draws,
    no_rtl,
    one_beat_each,
    per_element,
    signed_width,
)
from qsim.cosim.jobs.unit import Unit
from qsim.errors import UsageError

if TYPE_CHECKING:
    from hw_models import FixedFormat
    from qsim.cosim.jobs.scheme_fields import IntegerScheme
    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

SOURCES: Final = (
    *RESCALE_SOURCES,
    "requantize_round.sv",
    "requantize_core.sv",
    "requantize.sv",
)
_OFFSET: Final = 34  # bits of a converter's offset and a zero point together


def job(case: Case, target: Target) -> Job:
    """Return the beats of one requantization, an element of the result each, in C order.

    Raises:
        UsageError: a scheme without RTL.
    """
    from qsim.cosim.jobs.scheme_fields import ACCEPTED, INTEGER_SCHEMES
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    scheme = decode_scheme(attributes["scheme"], case.constants)
    if not isinstance(scheme, INTEGER_SCHEMES):
        what = f"the scheme {attributes['scheme']['kind']}"
        raise UsageError(**no_rtl(case, what), accepted=ACCEPTED)
    points = attributes["zero_point"], attributes["input_zero_point"]
    return _job(case, target, scheme, points, code_limits(case), attributes["axis"])


def clamp_job(case: Case, target: Target) -> Job:
    """Return the beats of one clamp: a shift of 0 and the clamp of requantize."""
    from hw_models.schemes import PowerOfTwo

    attributes: Any = case.attributes
    limits = attributes["lo"], attributes["hi"]
    return _job(case, target, PowerOfTwo(0, "floor"), (0, 0), limits, 0)


def _job(
    case: Case,
    target: Target,
    scheme: IntegerScheme,
    points: tuple[int, int],
    limits: tuple[int, int],
    axis: int,
) -> Job:
    from qsim.cosim.jobs.scheme_fields import draws_numbers, scheme_numbers, scheme_offset

    (codes,) = case.operands.values()
    zero, input_zero = points
    subtracted = np.asarray(scheme_offset(scheme), np.int64) + input_zero
    values: dict[str, Array | int] = {
        "acc": codes.reshape(-1),
        "input_zero_point": per_element(subtracted, axis, codes.shape),
        "zero_point": zero,
        "low": limits[0],
        "high": limits[1],
    }
    for name, numbers in scheme_numbers(scheme).items():
        values[name] = per_element(numbers, axis, codes.shape)
    if draws_numbers(scheme):
        values["draw"] = draws(scheme.seed, codes.size)  # type: ignore[union-attr]  # it draws
    operand, output = case.codes[next(iter(case.operands))], case.codes["output"]
    made = unit(case.primitive, target, scheme, operand, output, points)
    return one_beat_each(case, made, values)


def unit(
    primitive: str,
    target: Target,
    scheme: IntegerScheme,
    acc: FixedFormat,
    output: FixedFormat,
    points: tuple[int, int] = (0, 0),
) -> Unit:
    """Return the requantizer of a target, wider where the call needs it.

    Args:
        primitive: ``requantize``, or what else is computed on it.
        target: states the widths that all calls of a network share.
        scheme: of the call.
        acc: format of what enters.
        output: format of the codes.
        points: zero point of the output and of the input.
    """
    from hw_models import FixedFormat
    from hw_models.schemes import Converter
    from qsim.cosim.jobs.scheme_fields import draws_numbers, scheme_fields, scheme_parameters

    registers = (FixedFormat(target.correlation.bits), FixedFormat(target.sum.bits))
    acc_w = signed_width(*registers, target.input.format, acc)
    zi_w = code_width(target.input.bits, points[1]) + 1
    if isinstance(scheme, Converter):
        zi_w = _OFFSET
    out_w = code_width(max(target.output.bits, output.bits), points[0])
    scales = scheme_parameters(scheme, target)
    parameters = {"ACC_W": acc_w, "ZI_W": zi_w, "OUT_W": out_w} | scales
    fields = [Field("acc", acc_w, signed=True), *scheme_fields(scales)]
    fields += [Field("input_zero_point", zi_w, signed=True), *code_fields(out_w)]
    if draws_numbers(scheme):
        fields.append(Field("draw", 64, signed=False))
    outputs = Layout((Field("y", out_w, signed=output.signed),))
    return Unit(primitive, "requantize", SOURCES, parameters, Layout(tuple(fields)), outputs)
