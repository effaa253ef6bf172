"""A bench's results file is read strictly; what its differences mean for elements."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from qsim.cosim.findings import findings
from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.unit import Job
from qsim.cosim.lanes.interface import (
    Difference,
    LaneResult,
    Problem,
    ProblemKind,
    SimulationError,
    Stimulus,
)
from qsim.cosim.lanes.results import Expectation, read_results
from qsim.errors import UsageError
from tests.qsim.cosim.simulators.toy_rtl import UNIT, toy_job
from tests.tree import ROOT

BENCH = ROOT / "rtl_tb" / "tb" / "bench.py"
NONCE = "00000000000000ab"
WANTED = Expectation(NONCE, width=8, inputs=4, outputs=4, stimulus=Stimulus(idle_limit=9))
GOOD = f"bulk {NONCE}\nD 2 3 0 1f 1 20\nP 0 12 9\nend {NONCE} 4 4 3 1 165\n"


def read(tmp_path: Path, text: str) -> LaneResult:
    (tmp_path / "results.txt").write_text(text)
    return read_results(tmp_path / "results.txt", WANTED, 0.5)


def test_the_benches_number_the_problems_alike() -> None:
    assert tuple(Problem.EXPLAINED) == get_args(ProblemKind)
    (written,) = re.findall(r"^KINDS: Final = (\(.*\))$", BENCH.read_text(), re.MULTILINE)
    assert ast.literal_eval(written) == get_args(ProblemKind)


def test_a_result(tmp_path: Path) -> None:
    result = read(tmp_path, GOOD)
    assert (result.cycles, result.beats_in, result.beats_out, result.differing) == (4, 4, 3, 1)
    assert result.differences == (Difference(2, 3, "1f", "20", "0", "1"),)
    (problem,) = result.problems
    assert (problem.kind, problem.cycle) == ("hang", 12)
    assert "for 9 cycles" in problem.message
    assert "1 of 4 results outstanding" in problem.message
    assert not result.agrees


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GOOD, "", "is not of this run"),
        (f"bulk {NONCE}", "bulk 00000000000000ac", "is not of this run"),
        (f"end {NONCE}", "end 00000000000000ac", "is not of this run"),
        (f"end {NONCE} 4 4 3 1 165\n", "", "ended before the bench did"),
        (f"end {NONCE} 4 4 3 1 165", f"end {NONCE} 4 4 3 1", "ended before the bench did"),
        (f"end {NONCE} 4 4 3 1", f"end {NONCE} 4 4 3 0", "counts fewer differences"),
        ("D 2 3 0 1f 1 20", "D 2 3 0 1f 1 2", "has a line 'D 2 3 0 1f 1 2'"),
        ("D 2 3 0 1f 1 20", "D 2 3 0 1f 1 b0000x", "has a line"),
        ("D 2 3 0 1f 1 20", "D 4 3 0 1f 1 20", "has a line"),
        ("D 2 3 0 1f 1 20", "D 2 3 0 1f 1 -1", "has a line"),
        ("P 0 12 9", "P 9 12 9", "has a line 'P 9 12 9'"),
        ("P 0 12 9", "P 0 12", "has a line 'P 0 12'"),
        ("P 0 12", "\N{DIGIT ONE}\N{SUPERSCRIPT TWO}", "without a result"),
    ],
)
def test_what_is_no_result(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(SimulationError, match=message):
        read(tmp_path, GOOD.replace(old, new))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="ended without a result"):
        read_results(tmp_path / "results.txt", WANTED, 0.5)


def lanes() -> Job:
    """Two beats of three lanes; the last lane of the last beat carries nothing."""
    outputs = Layout((Field("pad", 1, signed=False), Field("y", 5, signed=True, lanes=3)))
    values = np.array([[1, -2, 3], [-4, 5, 0]])
    return dataclasses.replace(
        toy_job(2),
        unit=dataclasses.replace(UNIT, outputs=outputs),
        expected=outputs.pack({"pad": 0, "y": values}, 2),
        element=np.array([[4, 3, 2], [1, 0, -1]]),
        shape=(5, 1),
    )


def found(job: Job, *differences: Difference) -> LaneResult:
    return LaneResult(9, 2, 2, 2, len(differences), differences, (), 0.1)


def beat(job: Job, index: int, values: list[int]) -> Difference:
    layout = job.unit.outputs
    packed = layout.pack({"pad": 0, "y": np.array([values])}, 1)
    actual, expected = (f"{int(words[0]):04x}" for words in (packed[0], job.expected[index]))
    return Difference(index, 7 + index, expected, actual, "0", "0")


def test_lanes_are_elements() -> None:
    job = lanes()
    result = found(job, beat(job, 0, [1, -16, 3]), beat(job, 1, [7, 5, 0]))
    mismatch = findings(job, result).mismatch
    assert mismatch is not None
    # Element 1 is the first in C order, although element 3 came a cycle earlier.
    assert (mismatch.index, mismatch.expected, mismatch.actual) == ((1, 0), -4, 7)
    assert (mismatch.cycle, mismatch.count, mismatch.total) == (8, 2, 5)
    assert sum(part.count for part in mismatch.histogram) == 2


def test_a_lane_without_an_element() -> None:
    job = lanes()
    told = findings(job, found(job, beat(job, 1, [-4, 5, 1])))
    assert told.mismatch is None
    (line,) = told.others
    assert "a lane that carries no element" in line
    assert "output beat 1 (cycle 8)" in line


def test_x_beside_integers() -> None:
    job = lanes()
    value = beat(job, 0, [1, 9, 3])
    bits = f"{int(value.actual, 16):016b}"
    unknown = dataclasses.replace(value, actual=f"b{'x' * 5}{bits[5:]}")  # lane 2: element 2
    mismatch = findings(job, found(job, unknown)).mismatch
    assert mismatch is not None
    assert (mismatch.index, mismatch.expected, mismatch.actual) == ((2, 0), 3, "xxxxx")
    assert mismatch.count == 2  # element 3 is 9, not -2
    assert [part.count for part in mismatch.histogram] == [1]


def test_after_a_reset_an_element_counts_once() -> None:
    job = lanes()
    first = beat(job, 1, [7, 5, 0])
    again = dataclasses.replace(first, cycle=100)
    mismatch = findings(job, found(job, first, again)).mismatch
    assert mismatch is not None
    assert (mismatch.count, mismatch.cycle) == (1, 8)


@pytest.mark.parametrize(
    "values",
    [
        {"stall_input": 1.0},
        {"stall_output": -0.1},
        {"seed": 1 << 32},
        {"resets": (5, 5)},
        {"resets": (-1,)},
        {"reset_cycles": 0},
        {"idle_limit": 0},
    ],
)
def test_stimuli_that_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Stimulus(**values)
