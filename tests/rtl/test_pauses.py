"""What shows only between two operations, without a pause between them, or after the last one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qsim.cosim.dut import Dut, Stream, design, load
from qsim.cosim.jobs import Prepared
from qsim.cosim.jobs.unit import Job
from qsim.cosim.lanes import LaneName, played, recipe
from qsim.cosim.report import CallResult
from qsim.cosim.runner import Settings, simulate
from qsim.cosim.simulators import build, find
from tests.rtl.sums import sums
from tests.tree import DESIGNS

OUT = Stream("out_valid", last="out_last")
STREAM = load(DESIGNS / "hasty.toml")
VALID = replace(
    STREAM,
    handshake="valid_only",
    input=Stream("in_valid", last="in_last"),
    output=OUT,
    tie={"out_ready": 1},
)
LATENCY = replace(
    VALID, handshake="fixed_latency", latency=2, parameters={"DELAY": 2}, output=Stream()
)
SLOW = replace(
    LATENCY, input=Stream(), interval=4, tie={"out_ready": 1, "in_valid": 1, "in_last": 0}
)
STARTED = replace(
    VALID,
    handshake="start_done",
    input=Stream("in_valid"),
    output=Stream("out_valid"),
    tie={"out_ready": 1, "in_last": 0},
)
LANES = replace(
    STREAM,
    lanes=4,
    parameters={"LANES": 4},
    output=Stream("out_valid", "out_ready"),
)
LANES_VALID = replace(LANES, handshake="valid_only", input=VALID.input, output=Stream("out_valid"),
                      tie={"out_ready": 1})  # fmt: skip
KINDS: dict[str, Dut] = {
    "stream": STREAM,
    "valid": VALID,
    "latency": LATENCY,
    "slow": SLOW,
    "started": STARTED,
    "lanes": LANES,
    "lanes, valid": LANES_VALID,
}


def work() -> Job:
    """Return sums in one packet: lanes wait for no end of one."""
    made = sums(100)
    last = np.arange(len(made.beats)) == len(made.beats) - 1
    return replace(made, last=last, expected_last=last)


def told(kind: str, lane: LaneName = "bulk", job: Job | None = None, **changes: int) -> CallResult:
    """Return what is told of a kind of design, played as a command plays it."""
    dut = KINDS[kind]
    latency = changes.pop("latency", dut.latency)
    dut = replace(dut, latency=latency, parameters={**dut.parameters, **changes})
    return ran(dut, lane, work() if job is None else job)


def ran(dut: Dut, lane: LaneName, made: Job) -> CallResult:
    program = build(recipe(lane, design(dut, made.unit), find("icarus")))
    stimulus, stalled = played()
    settings = Settings("icarus", lane=lane, stimulus=stimulus, stalled=stalled, dut=dut)
    return simulate((Prepared(made),), made, program, None, settings)


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_design_agrees(kind: str) -> None:
    assert told(kind).agrees


@pytest.mark.parametrize("kind", ["valid", "started", "lanes"])
def test_a_right_design_agrees_in_the_cocotb_lane(kind: str) -> None:
    assert told(kind, "cocotb").agrees


@pytest.mark.parametrize("kind", ["stream", "valid", "latency", "lanes", "lanes, valid"])
def test_a_pause_is_tried(kind: str) -> None:
    found = told(kind, WRONG=1)
    assert found.mismatches > 10


@pytest.mark.parametrize("kind", ["latency", "lanes", "lanes, valid"])
def test_no_pause_is_tried(kind: str) -> None:
    found = told(kind, WRONG=2)
    assert found.mismatches > 10


@pytest.mark.parametrize("kind", ["valid", "started"])
@pytest.mark.parametrize("lane", ["bulk", "cocotb"])
def test_a_result_too_many_is_waited_for(kind: str, lane: LaneName) -> None:
    """As long as the longest pause: 90 cycles behind the one that was asked for."""
    assert_told(told(kind, lane, sums(2), WRONG=3, DELAY=90), "gave a result that no operation")


@pytest.mark.parametrize("kind", ["stream", "lanes"])
def test_valid_that_waits_for_ready_is_told(kind: str) -> None:
    found = told(kind, WRONG=4)
    assert "out_ready inactive, for which it must not wait" in found.problems[0]
    assert found.explanation is None  # at full rate results came: it is in no reset


@pytest.mark.parametrize("kind", ["stream", "lanes"])
def test_a_receiver_that_is_always_ready_is_tried(kind: str) -> None:
    assert "results outstanding" in told(kind, WRONG=5).problems[0]


@pytest.mark.parametrize("lane", ["bulk", "cocotb"])
@pytest.mark.parametrize("kind", ["stream", "valid"])
def test_last_is_that_of_its_result(kind: str, lane: LaneName) -> None:
    """Where results wait in a buffer behind the design, too."""
    assert told(kind, lane, sums(100)).agrees
    assert_told(told(kind, lane, sums(100), WRONG=7), "out_last is 1, not 0, with a result")


def test_operands_stand_from_the_cycle_in_which_they_are_due() -> None:
    assert told("slow", latency=5).agrees  # until the next ones do
    for latency in (1, 6):
        assert told("slow", latency=latency).mismatches > 100


def test_a_latency_is_named_where_a_beat_is_a_cycle() -> None:
    assert hints(told("latency", latency=1))[0].endswith("latency = 2 explains them")
    assert hints(told("slow", latency=1))[0].endswith("latency = 1 is too small")


def test_results_that_follow_a_right_one_are_not_late() -> None:
    found = told("valid", WRONG=6)
    assert found.mismatches > 100
    assert hints(found) == ()


def assert_told(found: CallResult, text: str) -> None:
    assert any(text in problem for problem in found.problems), found.problems


def hints(found: CallResult) -> tuple[str, ...]:
    assert found.explanation is not None
    return found.explanation.hints


SLEEPY = """module sleepy (input clk, rst, input [19:0] acc, bias, output reg [19:0] sum);
  reg [5:0] edges;  // of reset: it needs 40
  reg awake;
  always @(posedge clk) begin
    if (rst) edges <= edges === 6'bx ? 1 : edges < 40 ? edges + 1 : edges;
    awake <= edges == 40;
    sum <= awake ? acc + bias : 0;
  end
endmodule
"""
SLEEPY_TOML = """schema = 1
primitive = "bias_add"
top = "sleepy"
sources = ["sleepy.v"]
clock = "clk"
handshake = "fixed_latency"
latency = 1
reset = { port = "rst", cycles = 16 }
[operands]
acc = { port = "acc", bits = 20, signed = true }
bias = { port = "bias", bits = 20, signed = true }
[results]
sum = { port = "sum", bits = 20, signed = true }
"""


@pytest.mark.parametrize("lane", ["bulk", "cocotb"])
def test_a_reset_is_as_long_as_the_binding_says(tmp_path: Path, lane: LaneName) -> None:
    (tmp_path / "sleepy.v").write_text(SLEEPY)
    toml = tmp_path / "dut.toml"
    toml.write_text(SLEEPY_TOML)
    assert not ran(load(toml), lane, work()).agrees
    toml.write_text(SLEEPY_TOML.replace("cycles = 16", "cycles = 48"))
    assert ran(load(toml), lane, work()).agrees
