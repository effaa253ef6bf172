"""Every rule of a handshake, broken on the ports of a user's design: told with cycle and port.

The same designs without a fault agree however they are held up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qsim.cosim.jobs import Prepared
from qsim.cosim.lanes import Stimulus, run_bulk, run_cocotb, runner
from qsim.cosim.runner import Settings, simulate
from tests.rtl import faulted

if TYPE_CHECKING:
    from qsim.cosim.jobs import Job
    from qsim.cosim.lanes import LaneName, LaneResult
    from qsim.cosim.report import CallResult
    from qsim.cosim.simulators import Build

IDLE = 300
FULL = Stimulus(idle_limit=IDLE)
HELD = Stimulus(3, stall_input=0.3, stall_output=0.3, wait_for_valid=True, idle_limit=IDLE)
RESET = Stimulus(resets=(60,), reset_cycles=3, idle_limit=IDLE)
AT = 9  # the operation that asks for a fault
# Fault of held_adder: what is told when it is held up. Icarus alone has x.
TOLD = {
    2: "sum_valid gave a result that no operation asked for (cycle 64)",
    4: "sum changed from 0xaafc to 0xaafd while sum_valid waited for sum_ready (cycle 60)",
    5: "sum_valid was taken back before sum_ready came (cycle 60, the first of 148 times)",
    8: "sum_last is 1, not 0, with a result (cycle 61)",
    9: "sum_last changed from 0x0 to 0x1 while sum_valid waited for sum_ready (cycle 60)",
}
UNKNOWN = {
    6: "sum_valid is x or z (cycle 59)",
    7: "op_ready is x or z while op_valid is active (cycle 56)",
    10: "sum_last is x, not 0, with a result (cycle 61)",
}
HANGS = {
    1: "40 of 40 beats accepted, 1 of 40 results outstanding; 1 operation in the design, sum_valid "
    "inactive since cycle 249 with sum_ready inactive, for which it must not wait)",
    11: "10 of 40 beats accepted, 31 of 40 results outstanding; op_valid has waited for op_ready "
    "since cycle 56; 1 operation in the design, sum_valid inactive since cycle 55 with sum_ready "
    "inactive, for which it must not wait)",
    12: "10 of 40 beats accepted, 30 of 40 results outstanding; op_valid has waited for op_ready "
    "since cycle 56)",
}
SIMULATORS = ("icarus", "verilator")


def play(build: Build, fault: int, stimulus: Stimulus, name: str = "held_adder") -> LaneResult:
    job = faulted.wide(name, faulted.job(40, {AT: fault}))
    return runner(build.lane)(job, build, stimulus)


@pytest.fixture(scope="module", params=SIMULATORS)
def held(request: pytest.FixtureRequest) -> Build:
    return faulted.made("held_adder", request.param, "bulk")


@pytest.fixture(scope="module")
def icarus() -> Build:
    return faulted.made("held_adder", "icarus", "bulk")


@pytest.fixture(
    scope="module", params=("icarus", pytest.param("verilator", marks=pytest.mark.soak))
)
def slow(request: pytest.FixtureRequest) -> Build:
    return faulted.made("held_adder", request.param, "cocotb")


@pytest.mark.parametrize("stimulus", [FULL, HELD, RESET], ids=["full", "held", "reset"])
def test_a_right_design_agrees_however_it_is_held_up(held: Build, stimulus: Stimulus) -> None:
    assert play(held, 0, stimulus).agrees


@pytest.mark.parametrize("fault", TOLD)
def test_a_broken_rule_is_told_with_cycle_and_port(held: Build, fault: int) -> None:
    messages = [problem.message for problem in play(held, fault, HELD).problems]
    assert messages[0] == TOLD[fault]
    assert not any("tvalid" in each or "tlast" in each for each in messages)


@pytest.mark.parametrize("fault", UNKNOWN)
def test_what_is_unknown_is_told(icarus: Build, fault: int) -> None:
    assert [p.message for p in play(icarus, fault, HELD).problems] == [UNKNOWN[fault]]


@pytest.mark.parametrize("fault", HANGS)
def test_a_hang_tells_what_is_outstanding(held: Build, fault: int) -> None:
    (problem,) = play(held, fault, HELD).problems
    assert problem.kind == "hang"
    assert problem.message.startswith("the design made no progress for 30")
    assert problem.message.endswith(HANGS[fault])


def test_a_lost_result_moves_the_others_but_is_no_wrong_last(held: Build) -> None:
    result = play(held, 1, FULL)
    assert result.differences[0].beat == AT
    assert [problem.kind for problem in result.problems] == ["hang"]


@pytest.mark.parametrize("fault", [4, 5, 9, 11])
def test_what_only_waiting_shows_agrees_at_full_rate(held: Build, fault: int) -> None:
    assert play(held, fault, FULL).agrees


def test_valid_in_reset_is_told(held: Build) -> None:
    (problem,) = play(held, 3, RESET).problems
    assert problem.message == "sum_valid is active, or unknown, at the end of reset (cycle 64)"


def test_a_wrong_sum_alone_breaks_no_rule(held: Build) -> None:
    result = play(held, 13, HELD)
    assert (result.differing, result.problems) == (1, ())


def test_the_cocotb_lane_tells_the_same(slow: Build) -> None:
    job = faulted.job(40, {5: 8, AT: 4, 15: 2, 20: 3, 31: 12})
    result = run_cocotb(job, slow, HELD)
    told = {problem.kind: problem.message for problem in result.problems}
    assert set(told) == {"last", "unstable", "extra", "hang"}
    assert "sum changed from 0xaafc to 0xaafd while sum_valid waited" in told["unstable"]
    assert "sum_valid gave a result that no operation asked for" in told["extra"]
    assert "op_valid has waited for op_ready since cycle" in told["hang"]
    assert play(slow, 0, HELD).agrees
    reset = run_cocotb(faulted.job(40, {3: 3}), slow, RESET).problems
    assert [p.message for p in reset] == [
        "sum_valid is active, or unknown, at the end of reset (cycle 64)"
    ]


def test_the_cocotb_lane_tells_what_is_unknown() -> None:
    build = faulted.made("held_adder", "icarus", "cocotb")
    for fault in (6, 7):
        (problem,) = play(build, fault, HELD).problems
        assert problem.message.startswith(UNKNOWN[fault].split(" (")[0])


@pytest.mark.parametrize(
    ("lane", "stimulus"), [("bulk", FULL), ("bulk", HELD), ("bulk", RESET), ("cocotb", HELD)]
)
def test_a_design_without_a_register_is_not_blamed(lane: LaneName, stimulus: Stimulus) -> None:
    """Its ready depends on the operands; its sum leaves in the cycle of its operation."""
    build = faulted.made("through_adder", "icarus", lane)
    assert play(build, 0, stimulus, "through_adder").agrees


def test_a_wrong_last_of_a_design_without_a_register_is_told() -> None:
    build = faulted.made("through_adder", "icarus", "bulk")
    (problem,) = play(build, 8, HELD, "through_adder").problems
    assert problem.message.startswith("sum_last is 1, not 0, with a result (cycle ")


@pytest.mark.parametrize(
    ("fault", "stimulus", "message"),
    [
        (3, HELD, "sum_valid gave a result that no operation asked for (cycle "),
        (4, FULL, "sum_valid is x or z (cycle 15)"),
        (5, RESET, "sum_valid is active, or unknown, at the end of reset (cycle 64)"),
    ],
)
def test_a_design_that_cannot_be_held_up_is_watched(
    fault: int, stimulus: Stimulus, message: str
) -> None:
    build = faulted.made("piped_adder", "icarus", "bulk")
    assert play(build, 0, stimulus, "piped_adder").agrees
    problems = play(build, fault, stimulus, "piped_adder").problems
    assert problems[0].message.startswith(message)


@pytest.mark.parametrize(
    "build",
    [
        ("icarus", "bulk"),
        ("icarus", "cocotb"),
        pytest.param(("verilator", "bulk"), marks=pytest.mark.soak),
    ],
    indirect=True,
)
@pytest.mark.parametrize(("fault", "beats"), [(1, [9, 10]), (2, [10])])
def test_a_result_is_compared_in_the_full_width_of_its_port(
    build: Build, fault: int, beats: list[int]
) -> None:
    """Two sums of 16 bits in ports of 24 bits each: the extension of either counts."""
    result = play(build, fault, FULL, "piped_adder")
    assert [difference.beat for difference in result.differences] == beats
    for difference in result.differences:
        assert difference.expected == f"ff{difference.actual[2:]}"
        assert difference.actual.startswith("00")


@pytest.fixture
def build(request: pytest.FixtureRequest) -> Build:
    simulator, lane = request.param
    return faulted.made("piped_adder", simulator, lane)


def test_a_long_pause_is_no_hang_where_pauses_are_long(icarus: Build) -> None:
    """A sender that offers a beat every ten thousand cycles does not make a design hang."""
    job = faulted.job(12)
    rare = Stimulus(1, stall_input=0.9995)
    result = run_bulk(job, icarus, rare)
    assert result.agrees
    assert result.cycles > 10_000


def test_patience_grows_with_the_pauses_seen(icarus: Build) -> None:
    job = faulted.job(40, {30: 12})
    quick = run_bulk(job, icarus, Stimulus()).problems[0]
    assert "no progress for 20050 cycles" in quick.message
    (stated,) = run_bulk(job, icarus, Stimulus(idle_limit=77)).problems
    assert "no progress for 77 cycles" in stated.message


def played(job: Job, build: Build, settings: Settings) -> CallResult:
    return simulate((Prepared(job),), job, build, None, settings)


def test_a_design_is_played_once_more_with_stalls(icarus: Build) -> None:
    job = faulted.job(40, {AT: 4})
    told = played(job, icarus, Settings("icarus", stimulus=FULL, stalled=HELD))
    rule, note = told.problems
    assert rule == TOLD[4]
    assert note == f"it agrees at full rate; all this is seen with {HELD.stalls}"
    assert told.stimulus == HELD
    assert played(job, icarus, Settings("icarus", stimulus=FULL)).agrees
    told = played(faulted.job(40), icarus, Settings("icarus", stalled=HELD))
    assert told.agrees
    assert told.events is not None
    assert told.events["sum_valid held up by sum_ready"] > 20
    assert told.events["op_valid paused"] > 5


def test_what_is_wrong_at_full_rate_is_told_without_stalls(icarus: Build) -> None:
    job = faulted.job(40, {AT: 8})
    told = played(job, icarus, Settings("icarus", stimulus=FULL, stalled=HELD))
    assert told.problems == ("sum_last is 1, not 0, with a result (cycle 49)",)
    assert told.stimulus == FULL
