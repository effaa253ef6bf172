"""A datapath with its numbers built in: directed vectors are made for these numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

import qsim
from qsim.cosim.jobs import vectors
from qsim.errors import QsimError
from qsim.golden.directed import vectors as v

STAGE = """module stage #(parameter AWAY = 1) (
    input clk, input signed [31:0] acc, output reg signed [7:0] code);
  wire signed [47:0] p = acc * 48'sd77, size = p < 0 ? -p : p;
  wire signed [47:0] away = (size + 48'sd4096) >>> 13, up = (p + 48'sd4096) >>> 13;
  wire signed [47:0] v = AWAY ? (p < 0 ? -away : away) : up;
  always @(posedge clk) code <= v > 127 ? 8'sd127 : v < -128 ? -8'sd128 : v[7:0];
endmodule
"""
TOML = """schema = 1
primitive = "requantize"
top = "stage"
sources = ["stage.v"]
clock = "clk"
handshake = "fixed_latency"
latency = 1
parameters.AWAY = 0
[operands]
acc = { port = "acc", bits = 32, signed = true }
[fixed]
multiplier = 77
shift = 13
input_zero_point = 0
zero_point = 0
low = -128
high = 127
[results]
y = { port = "code", bits = 8, signed = true }
"""
NUMBERS = {"multiplier": 77, "shift": 13, "zero_point": 0, "input_zero_point": 0}
SINGLE = qsim.Target.load("tflite-single")  # rounds ties up


def test_the_rounding_of_a_scale_that_is_built_in_is_told(tmp_path: Path) -> None:
    (tmp_path / "stage.v").write_text(STAGE)
    toml = tmp_path / "dut.toml"
    toml.write_text(TOML)

    def ran() -> qsim.cosim.Report:
        return qsim.cosim.run("requantize", target=SINGLE, simulator="icarus", dut=toml)

    right = ran()
    assert right.ok
    assert right.elements > 2000
    assert not right.skipped
    assert not any(call.left_out for call in right.calls)
    toml.write_text(TOML.replace("AWAY = 0", "AWAY = 1"))
    wrong = ran()
    assert wrong.calls[0].first is not None
    assert wrong.calls[0].first.count > 20  # the ties below zero, and nothing else
    assert [(each.low, each.high) for each in wrong.calls[0].first.histogram] == [(-1, -1)]


def test_every_class_is_there_and_every_number_is_held() -> None:
    cases = list(vectors("requantize", SINGLE, 0, None, {**NUMBERS, "low": -128, "high": 127}))
    assert len({case.name for case in cases}) == len(cases) == 2
    classes = {name for case in cases for name in case.classes}
    assert {v.TIE_UP, v.TIE_DOWN, v.BESIDE, v.EDGE, v.ZERO, v.RANDOM} <= classes
    for case in cases:
        assert set(case.constants["scheme.multiplier"].tolist()) == {77}
        assert set(case.constants["scheme.right_shift"].tolist()) == {13}


def test_a_part_of_the_numbers_may_be_held() -> None:
    cases = list(vectors("requantize", SINGLE, 0, None, {"zero_point": 3, "shift": 40}))
    assert {case.attributes["zero_point"] for case in cases} == {3}
    assert len({m for case in cases for m in case.constants["scheme.multiplier"].tolist()}) > 20
    assert {s for c in cases for s in c.constants["scheme.right_shift"].tolist()} == {40}


def test_a_number_that_the_scheme_has_not_is_refused() -> None:
    with pytest.raises(QsimError, match="multiplier"):
        list(vectors("requantize", SINGLE, 0, None, {"multiplier": 1 << 40}))
