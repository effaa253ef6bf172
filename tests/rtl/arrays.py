"""Running jobs of arrays on a simulator, and on copies of the RTL that are broken on purpose."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from qsim.cosim.jobs.unit import Job
from qsim.cosim.lanes.bulk import bulk_recipe, run_bulk
from qsim.cosim.lanes.interface import LaneResult, Stimulus
from qsim.cosim.simulators.builds import build
from qsim.cosim.simulators.toolchain import find
from qsim.cosim.simulators.wrapper import RTL, design
from tests.qsim.cosim.jobs import array_cases as make

SMALL = make.target(3, 2)
FULL = Stimulus()
WORST = Stimulus(wait_for_valid=True)
RESETS = (9, 60, 61, 200)


def run(made: Job, stimulus: Stimulus, simulator: str = "icarus", rtl: Path = RTL) -> LaneResult:
    recipe = bulk_recipe(design(made.unit, rtl), find(simulator))
    return run_bulk(made, build(recipe), stimulus)


def agree(made: Job, simulator: str = "icarus", resets: tuple[int, ...] = RESETS) -> None:
    """Require agreement at full rate, with stalls and resets, and with a sink that waits."""
    rough = Stimulus(seed=5, stall_input=0.3, stall_output=0.4, resets=resets)
    for stimulus in (FULL, rough, WORST):
        assert run(made, stimulus, simulator).agrees


def accumulator(bits: int, overflow: str, at: str, order: str = "channel_last") -> dict[str, Any]:
    return {"bits": bits, "overflow": overflow, "at": at, "order": order}


def broken(folder: Path, file: str, right: str, wrong: str) -> Path:
    """Return a copy of the RTL with one change."""
    copy = folder / "rtl"
    shutil.copytree(RTL, copy)
    text = (copy / file).read_text("utf-8")
    assert text.count(right) == 1
    (copy / file).write_text(text.replace(right, wrong), "utf-8")
    return copy


def first_difference(made: Job, rtl: Path, stimulus: Stimulus = FULL) -> tuple[int, ...]:
    """Return the index, in the result, of the first element that differs."""
    result = run(made, stimulus, rtl=rtl)
    assert result.differing
    assert not result.problems
    found = result.differences[0]
    expected = made.unit.outputs.unpack(made.expected)[made.field][found.beat]
    line = np.frombuffer(
        bytes.fromhex(found.actual.rjust(16 * made.unit.outputs.words, "0")), ">u8"
    )
    actual = made.unit.outputs.unpack(line[::-1].astype(np.uint64)[None])[made.field][0]
    lane = int(np.flatnonzero(expected != actual)[0])
    return tuple(int(i) for i in np.unravel_index(made.element[found.beat, lane], made.shape))
