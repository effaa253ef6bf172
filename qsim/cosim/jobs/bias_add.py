"""Jobs of bias_add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import one_beat_each, per_element, signed_width
from qsim.cosim.jobs.unit import Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models import Accumulator, FixedFormat
    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.target import Target

SOURCES: Final = ("stream_register.sv", "overflow.sv", "bias_add_core.sv", "bias_add.sv")


def overflow_code(accumulator: Accumulator) -> int:
    """Return the number of an overflow rule in ``overflow.sv``."""
    match accumulator.overflow:
        case "wrap" | "error":
            return 0  # a run with "error" that completed had no overflow: any rule gives its sums
        case "saturate":
            return 1
        case "saturate_symmetric":
            return 2
        case _:
            assert_never(accumulator.overflow)


def job(case: Case, target: Target) -> Job:
    """Return the beats of one bias_add, an element of the result each, in C order."""
    from qsim.program import accumulator_from_json

    attributes: Any = case.attributes
    acc, bias = case.operands["acc"], case.operands["bias"]
    values = {
        "acc": acc.reshape(-1),
        "bias": per_element(bias, attributes["axis"], acc.shape),
    }
    made = unit(target, accumulator_from_json(attributes["accumulator"]), case.codes)
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
    shifted = target.bias.own_scale
    stated = FixedFormat(max(target.sum.bits, target.bias.bits) if shifted else target.bias.bits)
    bias_w = signed_width(stated, formats["bias"])
    parameters = {
        "ACC_W": acc_w,
        "BIAS_W": bias_w,
        "SUM_W": accumulator.bits,
        "OVERFLOW": overflow_code(accumulator),
    }
    inputs = Layout((Field("acc", acc_w, signed=True), Field("bias", bias_w, signed=True)))
    outputs = Layout((Field("sum", accumulator.bits, signed=True),))
    return Unit("bias_add", "bias_add", SOURCES, parameters, inputs, outputs)
