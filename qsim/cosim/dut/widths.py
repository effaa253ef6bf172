"""Results in the width that the design has them in: what its ports must hold, to the last bit.

A result port may be wider than the code: it must hold the code's sign or zero extension. The beats
that are expected are widened, so a bench compares all bits, and a difference shows the whole port.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Binding, Dut
    from qsim.cosim.jobs import Field, Job, Unit


def widened_unit(dut: Dut, unit: Unit) -> Unit:
    """Return a unit with results as wide as the design's ports, where those are wider.

    Fields without a binding stay as they are: what refuses them comes later.
    """
    fields = tuple(_widened(field, dut.results.get(field.name)) for field in unit.outputs.fields)
    return replace(unit, outputs=replace(unit.outputs, fields=fields))


def widened(dut: Dut, job: Job) -> Job:
    """Return a job whose results are as wide as the design's ports.

    A field without sign in a wider port is extended by zeros whatever ``signed`` says: its value
    fits. A signed code in a port of ``signed = false`` is expected as its bits, then zeros.
    """
    unit = widened_unit(dut, job.unit)
    if unit.outputs == job.unit.outputs:
        return job
    values = dict(job.unit.outputs.unpack(job.expected))
    for old, new in zip(job.unit.outputs.fields, unit.outputs.fields, strict=True):
        if old.signed and not new.signed:
            values[old.name] = values[old.name].astype(np.int64) & ((1 << old.bits) - 1)
    return replace(job, unit=unit, expected=unit.outputs.pack(values, len(job.expected)))


def _widened(field: Field, binding: Binding | None) -> Field:
    if binding is None or binding.bits <= field.bits:
        return field
    return replace(field, bits=binding.bits, signed=field.signed and binding.signed)
