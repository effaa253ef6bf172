"""Jobs of interpolate: the table is loaded first, then a code is looked up in every beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout, bits_for
from qsim.cosim.jobs.elementwise import rows_end
from qsim.cosim.jobs.unit import Job, Unit

if TYPE_CHECKING:
    from qsim.golden import Case
    from qsim.target import Target


def job(case: Case, target: Target) -> Job:
    """Return the beats of one call: one per entry of the table, then one per element.

    Beats with ``load`` write ``value`` at ``address``; they are one packet and have no result.
    """
    from qsim.program import format_from_json, resolve

    del target
    attributes: Any = case.attributes
    table = resolve(attributes["table"], case.constants).astype(np.int64)
    entry, form = format_from_json(attributes["entries"]), case.codes["x"]
    output = case.codes["output"]
    x, size = case.operands["x"].reshape(-1).astype(np.int64), len(table)
    inputs = Layout(
        (
            Field("load", 1, signed=False),
            Field("address", bits_for(size - 1), signed=False),
            Field("value", entry.bits, entry.signed),
            Field("x", form.bits, form.signed),
        )
    )
    outputs = Layout((Field("y", output.bits, output.signed),))
    unit = Unit(case.primitive, "", (), {}, inputs, outputs)
    idle = np.zeros(x.size, np.int64)
    beats = size + x.size
    values = {
        "load": (np.arange(beats) < size).astype(np.int64),
        "address": np.concatenate([np.arange(size), idle]),
        "value": np.concatenate([table, idle]),
        "x": np.concatenate([np.full(size, max(form.min, 0)), x]),
    }
    ends = rows_end(case.expected.shape, x.size)
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=unit,
        beats=inputs.pack(values, beats),
        last=np.concatenate([np.arange(1, size + 1) == size, ends]),
        expected=outputs.pack({"y": case.expected.reshape(-1)}, x.size),
        expected_last=ends,
        field="y",
        element=np.arange(x.size, dtype=np.int64)[:, None],
        shape=case.expected.shape,
    )
