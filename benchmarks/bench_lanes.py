"""Beats a second of the two lanes, full rate, on both simulators: a wide unit and a narrow one.

``whole`` counts everything from the job in memory to its result: files, the start of the simulator,
cocotb's import. ``beat`` is the rate of the beats alone, from jobs of two lengths. The best of the
rounds is shown: what slows a run down is the rest of the machine.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from qsim.cosim.jobs import job
from qsim.cosim.lanes import bulk_recipe, cocotb_recipe, run_bulk, run_cocotb
from qsim.cosim.simulators import SIMULATORS, build, design, find
from qsim.golden.directed import cases
from qsim.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsim.cosim.jobs import Job
    from qsim.cosim.lanes import LaneResult

COCOTB_BEATS, BULK_BEATS = 200_000, 2_000_000
REQUIRED, RATIO = 100_000, 10  # beats a second of cocotb on Verilator; bulk over cocotb
ROUNDS = int(os.environ.get("QSIM_BENCH_ROUNDS", "3"))


def stretched(made: Job, beats: int) -> Job:
    """Return a job with its reading beats again and again, so many in all."""
    first = len(made.beats) - len(made.expected)  # those that fill a table
    more = np.resize(np.arange(first, len(made.beats)), beats)
    order = np.concatenate([np.arange(first), more])
    return replace(
        made,
        beats=made.beats[order],
        last=made.last[order],
        expected=made.expected[more - first],
        expected_last=made.expected_last[more - first],
    )


def rates(made: Job, beats: int, run: Callable[[Job], LaneResult]) -> tuple[float, float]:
    """Return beats a second: of a whole run, and of the beats alone."""
    short, long = stretched(made, beats // 4), stretched(made, beats)
    seconds = []
    for each in (short, long):
        results = [run(each) for _ in range(ROUNDS)]
        assert all(result.agrees for result in results)
        seconds.append(min(result.seconds for result in results))
    return beats / seconds[1], (beats - beats // 4) / (seconds[1] - seconds[0])


def main() -> None:
    """Print the table."""
    target = Target.load("tflite")
    print(f"{'unit':<12}{'bits':>5}  {'simulator':<11}{'lane':<8}{'whole':>12}{'beat':>12}")
    for primitive in ("requantize", "lookup"):
        made = job(cases(primitive, target, count=0)[0], target)
        for name in SIMULATORS:
            simulator, built = find(name), design(made.unit)
            cocotb = build(cocotb_recipe(built, simulator))
            bulk = build(bulk_recipe(built, simulator))
            slow = rates(made, COCOTB_BEATS, partial(run_cocotb, build=cocotb))
            fast = rates(made, BULK_BEATS, partial(run_bulk, build=bulk))
            for lane, (whole, beat) in (("cocotb", slow), ("bulk", fast)):
                print(
                    f"{primitive:<12}{made.unit.inputs.width:>5}  {name:<11}{lane:<8}"
                    f"{whole:>12,.0f}{beat:>12,.0f}",
                    flush=True,
                )
            if name == "verilator":
                reached = "met" if slow[1] >= REQUIRED and fast[1] >= RATIO * slow[1] else "MISSED"
                print(f"  cocotb >= {REQUIRED:,} a second, bulk >= {RATIO} times that: {reached}")


if __name__ == "__main__":
    main()
