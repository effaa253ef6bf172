"""Sums for the adders of ``faults/``, each with the fault that it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qsim.cosim.dut import design, load, widened
from qsim.cosim.jobs import Field, Job, Layout, Unit
from qsim.cosim.lanes import recipe
from qsim.cosim.simulators import build, find

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.lanes import LaneName
    from qsim.cosim.simulators import Build

FAULTS = Path(__file__).parent / "faults"
_INPUTS = (Field("acc", 16, True), Field("bias", 16, True), Field("fault", 4, False))
UNIT = Unit("bias_add", "bias_add", (), {}, Layout(_INPUTS), Layout((Field("sum", 16, True),)))


def job(beats: int, faults: Mapping[int, int] | None = None) -> Job:
    """Return sums that do not overflow, many of them 0 or negative; packets of seven."""
    rng = np.random.default_rng(7)
    acc = rng.integers(-(1 << 14), 1 << 14, beats)
    bias = np.where(np.arange(beats) % 5 == 3, -acc, rng.integers(-(1 << 14), 1 << 14, beats))
    fault = np.zeros(beats, np.int64)
    for beat, kind in (faults or {}).items():
        fault[beat] = kind
    last = np.arange(beats) % 7 == 6
    last[-1] = True
    return Job(
        name="sums",
        layer="",
        primitive="bias_add",
        unit=UNIT,
        beats=UNIT.inputs.pack({"acc": acc, "bias": bias, "fault": fault}, beats),
        last=last,
        expected=UNIT.outputs.pack({"sum": acc + bias}, beats),
        expected_last=last,
        field="sum",
        element=np.arange(beats)[:, None],
        shape=(beats,),
    )


def wide(name: str, made: Job) -> Job:
    """Return a job with results as wide as the ports of a design."""
    return widened(load(FAULTS / f"{name}.toml"), made)


def made(name: str, simulator: str, lane: LaneName, *, waves: bool = False) -> Build:
    """Return the build of a design."""
    whole = design(load(FAULTS / f"{name}.toml"), UNIT)
    return build(recipe(lane, whole, find(simulator), waves=waves))
