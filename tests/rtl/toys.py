"""A unit with faults on demand, and jobs for it; needs no recorded vectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.unit import Job, Unit
from qsim.cosim.lanes.cocotb_lane import cocotb_recipe
from qsim.cosim.simulators import Build, build
from qsim.cosim.simulators.toolchain import find
from qsim.cosim.simulators.wrapper import design

HERE = Path(__file__).parent
UNIT = Unit(
    "requantize",
    "faulty",
    ("faulty.sv",),
    {},
    Layout((Field("x", 8, False), Field("fault", 4, False), Field("ballast", 32, False))),
    Layout((Field("y", 8, False),)),
)
(WRONG, LOSES, TWICE, TAKES_BACK, CHANGES, UNKNOWN_DATA, UNKNOWN_VALID, STUCK, WRONG_LAST, DEAF) = (
    range(1, 11)
)
WAITS_FOR_READY, CHANGES_LAST = 11, 12


def job(beats: int, faults: Mapping[int, int] | None = None, seed: int = 0) -> Job:
    """Return random beats, packets of up to five, with a fault in some of them."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, beats)
    fault = np.zeros(beats, np.int64)
    for beat, kind in (faults or {}).items():
        fault[beat] = kind
    last = rng.integers(0, 5, beats) == 0
    last[-1] = True
    ballast = rng.integers(0, 1 << 32, beats)
    return Job(
        name="faulty",
        layer="",
        primitive="requantize",
        unit=UNIT,
        beats=UNIT.inputs.pack({"x": x, "fault": fault, "ballast": ballast}, beats),
        last=last,
        expected=UNIT.outputs.pack({"y": (x + 1) % 256}, beats),
        expected_last=last,
        field="y",
        element=np.arange(beats)[:, None],
        shape=(beats,),
    )


def made(simulator: str, *, waves: bool = False) -> Build:
    """Return the cocotb build of the unit."""
    return build(cocotb_recipe(design(UNIT, HERE), find(simulator), waves=waves))
