"""Copies of the RTL whose streams are broken: found where a beat is lost, repeated or changed.

Each flaw is invisible until the streams are disturbed: the copy agrees at full rate, up to its last
beat, and the sound module agrees under the disturbance.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_models.schemes import FixedPoint
from qsim.cosim.jobs import conv_engine
from qsim.cosim.jobs.unit import Job
from qsim.cosim.lanes.interface import Stimulus
from tests.qsim.cosim.jobs import array_cases as make
from tests.rtl.arrays import FULL, broken, run
from tests.rtl.broken.streams import FAULTS, job, repeated, survived

CASES = [(*unit, name) for unit, faults in FAULTS.items() for name in faults]


@pytest.mark.parametrize(
    ("primitive", "target", "name", "simulator"),
    [
        *((*case, "icarus") for case in CASES),
        ("bias_add", "narrow20", "a beat is lost", "verilator"),
    ],
)
def test_a_broken_stream_is_found_where_it_breaks(
    primitive: str, target: str, name: str, simulator: str, tmp_path: Path
) -> None:
    fault, made = FAULTS[primitive, target][name], job(primitive, target)
    stimulus = fault.stimulus(made)
    assert run(made, stimulus, simulator).agrees
    rtl = broken(tmp_path, fault.file, fault.right, fault.wrong)
    undisturbed = run(made, FULL, simulator, rtl)
    assert not undisturbed.differing
    assert undisturbed.agrees or fault.found is repeated  # its last beat

    outcome = run(made, stimulus, simulator, rtl)

    assert outcome.differences or fault.found is survived
    fault.found(made, outcome)


def layer() -> Job:
    sums = make.correlation((2, 3, 5, 4), (8, 3, 3, 3), padding=1)
    return conv_engine.job(make.layer(sums, FixedPoint(1 << 30, 38)), make.target(3))


def test_a_layer_loses_a_tile_that_waits(tmp_path: Path) -> None:
    made, slow = layer(), Stimulus(seed=3, stall_output=0.95, idle_limit=2000)
    drained = "assign s_ready = !m_valid || (m_ready && tile_end);"
    rtl = broken(tmp_path, "conv_drain.sv", drained, drained.replace(";", " || s_valid;"))
    assert run(made, slow).agrees
    assert run(made, FULL, rtl=rtl).agrees  # a tile of 27 products waits for 3 codes at most

    outcome = run(made, slow, rtl=rtl)

    assert [problem.kind for problem in outcome.problems] == ["hang"]
    assert outcome.beats_in < len(made.beats)  # the second image never starts
    assert outcome.differences[0].beat < outcome.beats_out < outcome.beats_expected


def test_a_layer_runs_on_after_a_reset(tmp_path: Path) -> None:
    made = layer()
    start = 1 + int(made.last.argmax())  # beats up to the first image's START
    reset = Stimulus(resets=(start + 100,), idle_limit=2000)
    right, wrong = "if (rst) running <= 1'b0;", "if (rst) running <= running === 1'b1;"
    rtl = broken(tmp_path, "conv_engine.sv", right, wrong)
    assert run(made, reset).agrees
    assert run(made, FULL, rtl=rtl).agrees

    outcome = run(made, reset, rtl=rtl)

    assert [problem.kind for problem in outcome.problems] == ["hang"]
    assert outcome.beats_in == 0
