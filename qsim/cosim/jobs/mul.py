"""Jobs of mul: a beat for each element of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs import rescaled
from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import code_limits, code_width, one_beat_each
from qsim.cosim.jobs.operands import width_of
from qsim.cosim.jobs.unit import Job, Unit

if TYPE_CHECKING:
    from qsim.golden import Case
    from qsim.target import Target

SOURCES: Final = (*rescaled.SOURCES, "mul_core.sv", "mul.sv")
_ACC: Final = 32  # bits of a product that every unit has room for
_MOST: Final = 64


def job(case: Case, target: Target) -> Job:
    """Return the beats of one call, an element of the result each, in C order.

    Raises:
        UsageError: a rescale without RTL.
    """
    from qsim.program import decode_scheme

    attributes: Any = case.attributes
    shape = case.expected.shape
    arrays = [case.operands[name] for name in ("a", "b")]
    points = [attributes[f"{name}_zero_point"] for name in ("a", "b")]
    formats = [case.codes[name] for name in ("a", "b")]
    ends = [end for form in formats for end in (form.min, form.max)]
    x = width_of((target.input.format, *formats), ends)
    zx_w = code_width(x.bits, *points) + 1
    made = rescaled.Rescaled()
    made.parameters = {
        "IN_W": x.bits,
        "IN_SIGNED": int(x.signed),
        "ZX_W": zx_w,
        "ACC_W": min(max(_ACC, 2 * (max(x.bits + 1, zx_w) + 1)), _MOST),
    }
    for name, array in zip(("a", "b"), arrays, strict=True):
        made.add(name, x.bits, np.broadcast_to(array, shape).reshape(-1), signed=x.signed)
    for name, point in zip(("a", "b"), points, strict=True):
        made.add(f"{name}_zero_point", zx_w, point)
    scheme = decode_scheme(attributes["scheme"], case.constants)
    made.finish(case, target, scheme, attributes["zero_point"], axis=attributes["axis"])
    made.values |= dict(zip(("low", "high"), code_limits(case), strict=True))
    y = Field("y", made.parameters["OUT_W"], case.codes["output"].signed)
    fields = Layout(tuple(made.fields)), Layout((y,))
    return one_beat_each(case, Unit("mul", "mul", SOURCES, made.parameters, *fields), made.values)
