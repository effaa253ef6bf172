"""Jobs of bias_add for small designs."""

from __future__ import annotations

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.unit import Job, Unit


def sums(count: int, *, wide: bool = False, each: int = 1) -> Job:
    """Additions of 20-bit operands: 24-bit sums, or sums that wrap in 20 bits.

    Args:
        count: half as many beats again.
        wide: 24 bits.
        each: how many beats have one bias.
    """
    rng = np.random.default_rng(count)
    ends = [-(1 << 19), (1 << 19) - 1, -1, 0, 1]
    values = {
        name: np.concatenate([rng.choice(ends, count // 2), rng.integers(ends[0], ends[1], count)])
        for name in ("acc", "bias")
    }
    beats = len(values["acc"])
    values["bias"] = values["bias"][np.arange(beats) // each]
    total = values["acc"] + values["bias"]
    bits = 24 if wide else 20
    drop = 64 - bits
    fields = tuple(Field(name, 20, signed=True) for name in values)
    outputs = Layout((Field("sum", bits, signed=True),))
    unit = Unit("bias_add", "bias_add", (), {}, Layout(fields), outputs)
    last = (np.arange(beats) % 37 == 5) | (np.arange(beats) == beats - 1)
    expected = outputs.pack({"sum": (total << drop) >> drop}, beats)
    packed = unit.inputs.pack(values, beats)
    element = np.arange(beats)[:, None]
    return Job("sums", "", "bias_add", unit, packed, last, expected, last, "sum", element, (beats,))
