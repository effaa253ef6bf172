"""Jobs of bias_add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import one_beat_each, per_element, signed_width
from qsim.cosim.jobs.unit import Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models import Accumulator, FixedFormat
    from hw_models.formats import Overflow
    from qsim.cosim.jobs.unit import Job
    from qsim.golden.case import Case
    from qsim.target import Target

SOURCES: Final = ("stream_register.sv", "overflow.sv", "bias_add_core.sv", "bias_add.sv")
# A run with the rule "error" that completed had no overflow, so that any rule gives its sums.
OVERFLOWS: Final[Mapping[Overflow, int]] = {
    "wrap": 0,
    "saturate": 1,
    "saturate_symmetric": 2,
    "error": 0,
}


def job(case: Case, target: Target) -> Job:
    """Return the beats of one bias_add, an element of the result each, in C order."""
    from qsim.program.attributes import accumulator_from_json

    attributes: Any = case.attributes
    acc, bias = case.operands["acc"], case.operands["bias"]
    values = {
        "acc": acc.reshape(-1),
        "bias": per_element(bias, attributes["axis"], acc.shape),
    }
    made = unit(target, accumulator_from_json(attributes["accumulator"]), case.formats)
    return one_beat_each(case, made, values)


def unit(target: Target, accumulator: Accumulator, formats: Mapping[str, FixedFormat]) -> Unit:
    """Return the adder of a target, wider where the call needs it.

    Args:
        target: states the widths that all calls of a network share.
        accumulator: width and overflow rule of the sum.
        formats: of the call's operands ``acc`` and ``bias``.
    """
    from hw_models import FixedFormat

    acc_w = signed_width(FixedFormat(target.correlation.bits), formats["acc"])
    # A bias with a scale of its own is shifted into the accumulator before it gets here.
    shifted = target.bias.scale == "power_of_two"
    stated = FixedFormat(max(target.sum.bits, target.bias.bits) if shifted else target.bias.bits)
    bias_w = signed_width(stated, formats["bias"])
    parameters = {
        "ACC_W": acc_w,
        "BIAS_W": bias_w,
        "SUM_W": accumulator.bits,
        "OVERFLOW": OVERFLOWS[accumulator.overflow],
    }
    inputs = Layout((Field("acc", acc_w, signed=True), Field("bias", bias_w, signed=True)))
    outputs = Layout((Field("sum", accumulator.bits, signed=True),))
    return Unit("bias_add", "bias_add", SOURCES, parameters, inputs, outputs)
