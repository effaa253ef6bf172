"""Jobs of lookup: the table is loaded first, then every code is looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import rows_end
from qsim.cosim.jobs.unit import Job, Unit

if TYPE_CHECKING:
    from hw_models import FixedFormat
    from qsim.golden import Case
    from qsim.target import Target

SOURCES: Final = ("lookup.sv",)


def job(case: Case, target: Target) -> Job:
    """Return the beats of one lookup: one per entry of the table, then one per element.

    Beats that load the table, in the order of codes, are one packet and have no output.
    """
    from qsim.program import resolve

    del target
    x, form = case.operands["x"], case.codes["x"]
    made = unit(form, case.codes["output"])
    attributes: Any = case.attributes
    table = resolve(attributes["table"], case.constants).astype(np.int64)
    entries, count = len(table), x.size
    # The address is the code's own bits: entry 0 of a signed table lies in the middle.
    codes = np.concatenate([np.arange(form.min, form.min + entries), x.reshape(-1)])
    bits = made.outputs.fields[0].bits
    stored = np.concatenate([table & ((1 << bits) - 1), np.zeros(count, np.int64)])
    load = np.arange(entries + count) < entries
    values = {
        "load": load.astype(np.int64),
        "address": codes.astype(np.int64) & ((1 << form.bits) - 1),
        "value": stored,
    }
    ends = rows_end(x.shape, count)
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=made,
        beats=made.inputs.pack(values, entries + count),
        last=np.concatenate([np.arange(1, entries + 1) == entries, ends]),
        expected=made.outputs.pack({"y": case.expected.reshape(-1)}, count),
        expected_last=ends,
        field="y",
        element=np.arange(count, dtype=np.int64)[:, None],
        shape=x.shape,
    )


def unit(codes: FixedFormat, output: FixedFormat) -> Unit:
    """Return the table of a format of codes: a target states no other width of it."""
    parameters = {"IN_W": codes.bits, "OUT_W": output.bits}
    inputs = Layout(
        (
            Field("load", 1, signed=False),
            Field("address", codes.bits, signed=False),
            Field("value", output.bits, signed=False),
        )
    )
    outputs = Layout((Field("y", output.bits, signed=output.signed),))
    return Unit("lookup", "lookup", SOURCES, parameters, inputs, outputs)
