"""Wrong designs, each wrong in one way: the hint names it, and a near miss gets none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_models import Accumulator
from qsim.cli import main
from qsim.cosim.lanes.interface import Stimulus
from qsim.cosim.runner import run_cases
from qsim.cosim.start import Settings, with_dut
from qsim.golden import Case, write
from qsim.target import Target
from tests.qsim.cosim.jobs import elementwise_cases as make

DUTS = Path(__file__).parent / "duts"
TFLITE = Target.load("tflite")
FAULTS = (
    "right", "late", "mirrored", "bytes", "absolute", "unsigned", "constant", "bias_late",
    "bias_of_set_before", "bias_stays", "acc_bytes", "acc_mirrored", "off_by_one", "late_by_three",
    "silent", "bias_bytes",
)  # fmt: skip


def case(axis: int) -> Case:
    """Return 168 sums in rows of 7: a last group of three lanes of four."""
    rng = np.random.default_rng(3)
    acc = rng.integers(-30_000, 30_000, (1, 6, 4, 7))
    bias = np.array([12, -1_500, 2_500, -20_000, 3, 9_999, 77])[: acc.shape[axis]]
    return make.bias_add(acc, bias, Accumulator(24), axis=axis)


CASE = case(1)


def bound(folder: Path, fault: str, *, near: bool, text: dict[str, str]) -> Path:
    shutil.copy(DUTS / "biased.v", folder)
    words = (DUTS / "biased.toml").read_text("utf-8")
    changes = {
        "FAULT = 0": f"FAULT = {FAULTS.index(fault)}",
        "NEAR = 0": f"NEAR = {int(near)}",
    } | text
    for old, new in changes.items():
        assert old in words
        words = words.replace(old, new)
    path = folder / "biased.toml"
    path.write_text(words, "utf-8")
    return path


LANES = {"LANES = 1": "LANES = 4", "lanes = 1": "lanes = 4"} | {
    f'"{name}", bits = {bits}': f'"{name}", bits = {bits}, stride = {bits}'
    for name, bits in (("acc", 16), ("bias", 16), ("sum", 24))
}
LATENCY = {
    'top = "biased"': 'top = "biased_always"',
    'handshake = "valid_only"': 'handshake = "fixed_latency"\nlatency = 1',
    '[input]\nvalid = "in_valid"\n': "",
    '[output]\nvalid = "out_valid"\n': "",
}
HINTS: dict[str, tuple[str, dict[str, str], str]] = {
    "shifted": ("late", {}, "results are 1 beat late (the first 1 of them belong to no beat"),
    "shifted by three": ("late_by_three", {}, "results are 3 beats late (the first 3 of them"),
    "lanes reversed": ("mirrored", LANES, "the 4 lanes of a beat are reversed"),
    "bytes reversed": ("bytes", {}, "the 3 bytes of each result are reversed"),
    "sign lost": ("absolute", {}, "the sign of the result is lost: each is the absolute value"),
    "sign of an operand lost": (
        "unsigned", {}, "the sign of operand acc is lost: its 16 bits are read as unsigned",
    ),
    "never changes": ("constant", {}, "the result never changes: it is always 7"),
    "parameters late": ("bias_late", {}, "parameters are 1 beat late (bias)"),
    "a set late": (
        "bias_of_set_before", {},
        "parameters are those of the channel or layer before: one set late (bias)",
    ),
    "parameters stay": (
        "bias_stays", {}, "parameters stay what they were for the first beat (bias)",
    ),
    "bytes of an operand": ("acc_bytes", {}, "the 2 bytes of operand acc are reversed"),
    "bytes of a parameter": ("bias_bytes", {}, "the 2 bytes of operand bias are reversed"),
    "lanes of an operand": ("acc_mirrored", LANES, "the 4 lanes of operand acc are reversed"),
}  # fmt: skip
NEAR_MISSES = ("shifted", "lanes reversed", "bytes reversed", "sign lost", "never changes",
               "sign of an operand lost", "parameters late", "a set late")  # fmt: skip


def explained(
    tmp_path: Path, fault: str, text: dict[str, str], *, near: bool = False, lane: Any = "bulk"
) -> tuple[str, ...]:
    path = bound(tmp_path, fault, near=near, text=text)
    # A bias of its own in each lane, where lanes of one operand change places.
    cases = [case(3) if fault == "acc_mirrored" else CASE]
    report = run_cases(cases, TFLITE, with_dut(Settings("icarus", lane=lane), path), "a design")
    (call,) = report.calls
    assert not report.ok
    assert call.explanation is not None
    if call.first is not None:
        assert call.explanation.defined == call.first.expected
    return call.explanation.hints


@pytest.mark.parametrize("name", HINTS)
def test_one_fault_is_named(tmp_path: Path, name: str) -> None:
    fault, text, hint = HINTS[name]
    (said,) = explained(tmp_path, fault, text)
    assert said.startswith("one explanation of all ")
    assert hint in said


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_is_not(tmp_path: Path, name: str) -> None:
    fault, text, _ = HINTS[name]
    assert explained(tmp_path, fault, text, near=True) == ()


def test_another_fault_gets_no_hint(tmp_path: Path) -> None:
    assert explained(tmp_path, "off_by_one", {}) == ()


def test_a_right_design_agrees(tmp_path: Path) -> None:
    for text in ({}, LANES, LATENCY):
        path = bound(tmp_path, "right", near=False, text=text)
        report = run_cases([CASE], TFLITE, with_dut(Settings("icarus"), path), "a design")
        assert report.ok
        assert report.calls[0].explanation is None


@pytest.mark.parametrize(("stated", "off"), [(0, "small by 1"), (3, "large by 2")])
def test_a_latency_is_told_with_the_right_one(tmp_path: Path, stated: int, off: str) -> None:
    text = {o: new.replace("latency = 1", f"latency = {stated}") for o, new in LATENCY.items()}
    (said,) = explained(tmp_path, "right", text)
    assert f"latency = {stated} is too {off}: latency = 1 explains them" in said


def test_a_design_that_stays_in_reset(tmp_path: Path) -> None:
    high = {'active = "low"': 'active = "high"'}
    (said,) = explained(tmp_path, "right", LATENCY | high)
    assert "the result never changes: it is always 0" in said
    assert "[reset] says that rst_n = 1 resets" in said


def test_the_cocotb_lane_tells_the_same(tmp_path: Path) -> None:
    bulk = explained(tmp_path, "bias_late", {})
    assert explained(tmp_path, "bias_late", {}, lane="cocotb") == bulk


def test_text_and_json_have_operands_steps_and_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bound(tmp_path, "bias_late", near=False, text={})
    write([CASE], tmp_path / "set", TFLITE)
    words = ["cosim", str(tmp_path / "set"), "-s", "icarus", "--dut", str(path)]
    assert main(words) == 1
    text = capsys.readouterr().out
    assert all(len(line) <= 100 for line in text.splitlines())
    assert main([*words, "--json"]) == 1
    (call,) = json.loads(capsys.readouterr().out)["calls"]
    first, told = call["first"], call["explanation"]
    held = {each["name"]: each for each in told["operands"]}
    index = tuple(first["index"])
    acc, bias = int(CASE.operands["acc"][index]), int(CASE.operands["bias"][index[1]])
    assert (held["acc"]["value"], held["bias"]["value"]) == (acc, bias)
    assert held["acc"]["hex"] == f"0x{acc & 0xFFFFFFFF:08x}"
    assert told["steps"][0] == {
        "name": "sum", "formula": f"acc + {bias}", "value": acc + bias, "note": "",
    }  # fmt: skip
    assert told["steps"][-1]["value"] == told["defined"] == first["expected"]
    flat = " ".join(text.split())
    for part in (f"acc {acc} {held['acc']['hex']}", f"sum {acc + bias} = acc + {bias}"):
        assert part in flat
    assert f"hint: {told['hints'][0]}" in flat


def test_nothing_that_came_is_explained(tmp_path: Path) -> None:
    path = bound(tmp_path, "silent", near=False, text={})
    settings = with_dut(Settings("icarus", stimulus=Stimulus(idle_limit=500)), path)
    report = run_cases([CASE], TFLITE, settings, "a design")
    (call,) = report.calls
    assert call.first is None
    assert call.explanation is not None
    (said,) = call.explanation.hints
    assert "no result came at all: as of a design that is still in reset" in said
    assert "[reset] says that rst_n = 0 resets" in said
