"""The cocotb lane finds what is wrong with a design, and says where; on a unit with faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qsim.cosim.lanes import cocotb_lane
from qsim.cosim.lanes.cocotb_lane import run_cocotb
from qsim.cosim.lanes.interface import Difference, SimulationError, Stimulus, Window
from qsim.cosim.simulators import Build
from qsim.errors import MissingToolError, UsageError
from qsim.program.attributes import Array
from tests.rtl import toys

IDLE = 200
STALLS = (
    Stimulus(1, idle_limit=IDLE),
    Stimulus(2, stall_input=0.3, stall_output=0.6, idle_limit=IDLE),
    Stimulus(3, stall_input=0.9, idle_limit=IDLE),
    Stimulus(4, wait_for_valid=True, idle_limit=IDLE),
)


@pytest.fixture(scope="module", params=["icarus", "verilator"])
def build(request: pytest.FixtureRequest) -> Build:
    return toys.made(request.param)


@pytest.fixture(scope="module")
def icarus() -> Build:
    return toys.made("icarus", waves=True)


@pytest.mark.parametrize("stimulus", STALLS, ids=lambda s: f"seed{s.seed}")
def test_a_right_design_agrees_under_stalls(build: Build, stimulus: Stimulus) -> None:
    result = run_cocotb(toys.job(300), build, stimulus)

    assert result.agrees, result
    assert (result.beats_in, result.beats_out, result.beats_expected) == (300, 300, 300)


def test_full_rate_takes_a_cycle_a_beat(build: Build) -> None:
    assert run_cocotb(toys.job(300), build).cycles == 301


def test_a_wrong_result_is_told_with_beat_and_cycle(build: Build) -> None:
    job = toys.job(50, {17: toys.WRONG, 30: toys.WRONG})
    right = int(job.expected[17, 0])

    result = run_cocotb(job, build)

    last = str(int(job.last[17]))
    first = Difference(17, 18, f"{right:02x}", f"{(right - 1) % 256:02x}", last, last)
    assert (result.differing, result.differences[0]) == (2, first)
    assert [d.beat for d in run_cocotb(job, build, limit=1).differences] == [17]
    assert not result.problems
    assert not result.agrees


def test_a_lost_beat_shifts_all_others_and_is_missed_at_the_end(build: Build) -> None:
    result = run_cocotb(toys.job(50, {20: toys.LOSES}), build, Stimulus(idle_limit=IDLE))

    assert result.differences[0].beat == 20
    assert (result.beats_out, result.problems[0].kind) == (49, "hang")
    assert "1 of 50 results outstanding" in result.problems[0].message


def test_a_beat_given_twice_is_one_too_many(build: Build) -> None:
    result = run_cocotb(toys.job(50, {49: toys.TWICE}), build)

    assert (result.differing, [p.kind for p in result.problems]) == (0, ["extra"])


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(toys.TAKES_BACK, "dropped"), (toys.CHANGES, "unstable"), (toys.CHANGES_LAST, "unstable")],
)
def test_what_changes_under_backpressure_is_told(build: Build, fault: int, kind: str) -> None:
    job = toys.job(40, {9: fault})

    assert kind not in {p.kind for p in run_cocotb(job, build).problems}
    stalled = run_cocotb(job, build, Stimulus(5, stall_output=0.8, idle_limit=IDLE))
    assert kind in {p.kind for p in stalled.problems}


def test_waiting_for_ready_before_valid_hangs(build: Build) -> None:
    stimulus = Stimulus(wait_for_valid=True, idle_limit=IDLE)

    result = run_cocotb(toys.job(20, {9: toys.WAITS_FOR_READY}), build, stimulus)

    assert [p.kind for p in result.problems] == ["hang"]


def test_a_design_that_accepts_nothing_hangs(build: Build) -> None:
    result = run_cocotb(toys.job(20, {9: toys.STUCK}), build, Stimulus(idle_limit=IDLE))

    (problem,) = result.problems
    assert problem.kind == "hang"
    assert "10 of 20 beats accepted, 10 of 20 results outstanding" in problem.message
    assert 209 <= problem.cycle <= 213


def test_a_wrong_tlast_is_a_difference(build: Build) -> None:
    (difference,) = run_cocotb(toys.job(20, {9: toys.WRONG_LAST}), build).differences

    assert difference.actual == difference.expected
    assert {difference.actual_last, difference.expected_last} == {"0", "1"}


@pytest.mark.parametrize("resets", [(0,), (1,), (50,), (99,), (100,), (0, 3, 60, 150)])
def test_a_reset_starts_the_stream_again(build: Build, resets: tuple[int, ...]) -> None:
    stimulus = Stimulus(6, stall_output=0.2, resets=resets, idle_limit=IDLE)

    result = run_cocotb(toys.job(100), build, stimulus)

    assert result.agrees, result
    assert result.beats_in > 100


def test_a_design_that_ignores_reset_is_told(build: Build) -> None:
    job = toys.job(60, {0: toys.DEAF})

    result = run_cocotb(job, build, Stimulus(resets=(30,), reset_cycles=3, idle_limit=IDLE))

    assert "reset" in {p.kind for p in result.problems}


def test_x_in_data_is_told_as_x_and_never_read_as_0(icarus: Build) -> None:
    (difference,) = run_cocotb(toys.job(20, {9: toys.UNKNOWN_DATA}), icarus).differences

    assert (difference.beat, difference.actual) == (9, "bx0000000")


def test_x_on_valid_ends_the_run(icarus: Build) -> None:
    (problem,) = run_cocotb(toys.job(20, {9: toys.UNKNOWN_VALID}), icarus).problems

    assert (problem.kind, problem.cycle) == ("unknown", 10)


def test_the_seed_decides_the_run(icarus: Build) -> None:
    def cycles(seed: int) -> int:
        stimulus = Stimulus(seed, stall_input=0.5, stall_output=0.5)
        return run_cocotb(toys.job(200), icarus, stimulus).cycles

    assert cycles(1) == cycles(1)
    assert len({cycles(seed) for seed in range(2, 7)}) > 1


def test_one_beat(build: Build) -> None:
    result = run_cocotb(toys.job(1), build)

    assert (result.agrees, result.cycles) == (True, 2)


def test_waves_hold_the_window_alone(icarus: Build, tmp_path: Path) -> None:
    path = tmp_path / "w.vcd"

    run_cocotb(toys.job(60), icarus, window=Window(20, 30, path))

    times = [int(line[1:]) for line in path.read_text().splitlines() if line.startswith("#")]
    assert 100 <= times[-1] - times[0] <= 120


def test_a_window_needs_a_build_with_waves(build: Build, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="waves"):
        run_cocotb(toys.job(5), build, window=Window(0, 1, tmp_path / "w.vcd"))
    with pytest.raises(UsageError, match="lane 'bulk'"):
        run_cocotb(toys.job(5), replace(build, lane="bulk"))


def test_a_simulation_that_takes_too_long_is_killed(build: Build) -> None:
    job = toys.job(20, {9: toys.STUCK})

    with pytest.raises(SimulationError, match="took too long"):
        run_cocotb(job, build, Stimulus(idle_limit=1 << 40), timeout=3)


def test_a_bench_that_fails_leaves_no_result(
    icarus: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cocotb_lane, "LANE", "rtl_tb.tb.no_such_module")

    with pytest.raises(SimulationError, match="faulty: the simulator ended without a result"):
        run_cocotb(toys.job(5), icarus)


def test_without_cocotb_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cocotb_lane, "find_spec", lambda name: None)
    cocotb_lane.find_cocotb.cache_clear()

    with pytest.raises(MissingToolError, match=r"pip install 'cocotb==2\.1\.\*'"):
        cocotb_lane.find_cocotb()
    cocotb_lane.find_cocotb.cache_clear()


def test_wide_beats_reach_the_design_whole(build: Build) -> None:
    """Every word of tdata is written when it changes, and only then: all bits of x count."""
    job = toys.job(64)
    x = np.tile([0, 255], 32)
    fields: dict[str, Array | int] = {
        "x": x,
        "fault": 0,
        "ballast": np.repeat([0, (1 << 32) - 1], 32),
    }
    unit = toys.UNIT
    job = replace(
        job,
        beats=unit.inputs.pack(fields, 64),
        expected=unit.outputs.pack({"y": (x + 1) % 256}, 64),
    )

    assert run_cocotb(job, build).agrees


def test_a_mistake_in_a_bench_fails_the_test_that_awaits_it(build: Build, tmp_path: Path) -> None:
    cocotb_lane.play(toys.job(5), build, "tests.rtl.raising", tmp_path, Stimulus())

    assert "LookupError: the mistake of the third cycle" in (tmp_path / "log.txt").read_text()
    assert "<failure" in (tmp_path / "results.xml").read_text()
