"""``qsim cosim`` and ``qsim.cosim.run``: what agrees, what differs, what is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qsim
from hw_models import Accumulator
from hw_models.schemes import FixedPoint, FloatScale
from qsim.cli import main
from qsim.cosim.jobs.drawn import vectors
from qsim.cosim.lanes.interface import Stimulus
from qsim.cosim.runner import Settings, run_cases
from qsim.cosim.simulators.wrapper import RTL, design
from qsim.errors import UsageError
from qsim.golden import Case, write
from qsim.target import Target
from tests.qsim.cosim.jobs import elementwise_cases as make

TFLITE = Target.load("tflite")
ACC = np.arange(-12, 12).reshape(1, 2, 3, 4) * 1000
SCALE = FixedPoint((1 << 30, 3 << 29), (31, 40), "double")


@pytest.fixture
def cases() -> list[Case]:
    """A requantization, a bias_add, and one that has no RTL."""
    scaled = make.requantize(ACC, SCALE)
    summed = make.bias_add(ACC, np.array([5, -7]), Accumulator())
    floats = make.requantize(ACC, FloatScale(0.01))
    return [
        dataclasses.replace(case, name=name, layer=name.upper())
        for name, case in (("scaled", scaled), ("summed", summed), ("floats", floats))
    ]


def wrong(case: Case, *elements: int) -> Case:
    """Return a case that expects other values of some elements."""
    expected = case.expected.copy()
    for element in elements:
        expected.flat[element] ^= 1
    return dataclasses.replace(case, expected=expected)


def written(cases: list[Case], folder: Path) -> str:
    write(cases, folder, TFLITE)
    return str(folder)


def json_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


def test_calls_agree(cases: list[Case], tmp_path: Path) -> None:
    report = qsim.cosim.run(written(cases, tmp_path / "set"), simulator="icarus")
    assert report.ok
    assert [(c.name, c.elements, c.cycles) for c in report.calls] == [
        ("scaled", 24, 25),
        ("summed", 24, 25),
    ]
    assert [(s.name, s.reason) for s in report.skipped] == [
        ("floats", "no RTL for the scheme float_scale")
    ]
    assert (report.elements, report.mismatches) == (48, 0)


def test_the_command_tells_what_differs(
    cases: list[Case],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    written([wrong(cases[0], 17, 19), *cases[1:]], tmp_path / "set")
    assert main(["cosim", "set", "--simulator", "icarus", "--waves"]) == 1
    text = capsys.readouterr().out
    assert all(len(line) <= 100 for line in text.splitlines())
    was, now = int(cases[0].expected.flat[17]) ^ 1, int(cases[0].expected.flat[17])
    for part in (
        "SCALED: requantize scaled",
        "first difference at n=0, c=1, h=1, w=1, in cycle 18",
        f"expected {was} 0x{was & 255:02x}",
        f"actual {now} 0x{now & 255:02x}",
        "2 of 24 elements differ",
        "1 call: no RTL for the scheme float_scale (FLOATS)",
        "1 of 2 calls differs, 2 elements",
    ):
        assert " ".join(part.split()) in " ".join(text.split()), part
    (waves,) = (tmp_path / "cosim-waves").iterdir()
    assert waves.name == "scaled-cycle-18.vcd"
    assert waves.name in text
    assert "m_axis_tdata" in waves.read_text()


def test_json(cases: list[Case], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written([wrong(cases[0], 17), cases[2]], tmp_path / "set")
    assert main(["cosim", folder, "--simulator", "icarus", "--json", "--seed", "3"]) == 1
    found = json_of(capsys)
    assert {"simulator", "version", "target", "seed", "elements", "mismatches"} <= set(found)
    assert found["target"] == {"name": "tflite", "hash": TFLITE.hash}
    assert (found["simulator"], found["seed"], found["mismatches"]) == ("icarus", 3, 1)
    (call,) = found["calls"]
    assert (call["layer"], call["primitive"], call["elements"]) == ("SCALED", "requantize", 24)
    first = call["first"]
    assert (first["index"], first["cycle"]) == ([0, 1, 1, 1], 18)
    assert first["expected"] == first["actual"] ^ 1
    assert found["skipped"][0]["reason"] == "no RTL for the scheme float_scale"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stream_register.sv", "m_axis_tdata  <= s_axis_tdata", "m_axis_tdata <= ~s_axis_tdata"),
        ("stream_register.sv", "m_axis_tvalid <= s_axis_tvalid", "m_axis_tvalid <= 1'b1"),
    ],
)
def test_a_broken_module_is_found(
    cases: list[Case], tmp_path: Path, name: str, old: str, new: str
) -> None:
    rtl = tmp_path / "rtl"
    shutil.copytree(RTL, rtl)
    text = (rtl / name).read_text()
    assert old in text
    (rtl / name).write_text(text.replace(old, new))
    settings = Settings("icarus", wrap=lambda unit: design(unit, rtl))
    report = run_cases(cases[:1], TFLITE, settings, "cases")
    assert not report.ok
    assert report.calls[0].mismatches or report.calls[0].problems


def test_rtl_that_does_not_compile(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rtl = tmp_path / "rtl"
    shutil.copytree(RTL, rtl)
    (rtl / "requantize.sv").write_text("module requantize (input a b);\nendmodule\n")
    settings = Settings("icarus", wrap=lambda unit: design(unit, rtl))
    with pytest.raises(qsim.QsimError, match=r"rtl/requantize\.sv:1: icarus: .*whole log") as error:
        run_cases(cases[:1], TFLITE, settings, "cases")
    assert error.value.exit_status == 2


def test_stalls_take_cycles(cases: list[Case]) -> None:
    plain = run_cases(cases[:1], TFLITE, Settings("icarus"), "cases")
    stimulus = Stimulus(seed=4, stall_input=0.5, stall_output=0.5)
    slow = run_cases(cases[:1], TFLITE, Settings("icarus", stimulus=stimulus), "cases")
    assert plain.ok
    assert slow.ok
    assert slow.calls[0].cycles > plain.calls[0].cycles


def test_a_set_of_another_target(
    cases: list[Case], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(cases, tmp_path / "set")
    assert main(["cosim", folder, "--simulator", "icarus", "--target", "q7"]) == 2
    assert "recorded for tflite" in capsys.readouterr().err


def test_nothing_with_rtl(cases: list[Case]) -> None:
    with pytest.raises(UsageError, match="nothing to simulate: no RTL for the scheme float_scale"):
        run_cases(cases[2:], TFLITE, Settings("icarus"), "cases")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--simulator", "vcs"], "no simulator is called 'vcs'"),
        (["--lane", "fast"], "no lane is called 'fast'"),
        (["--stall", "1"], "must be a probability, not 1.0"),
        (["--stall", "nan"], "must be a probability, not nan"),
        (["--seed", "-1"], "seed must have 32 bits"),
        (["--jobs", "0"], "--jobs must be at least 1"),
        (["--timeout", "0"], "--timeout must be positive"),
        (["--vectors", "5"], "--vectors with a primitive"),
        (["--samples", "5"], "--samples with a model"),
        (["--dut", "none.toml"], "none.toml"),
    ],
)
def test_bad_usage(
    cases: list[Case],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    folder = written(cases[:1], tmp_path / "set")
    assert main(["cosim", folder, "--simulator", "icarus", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["nothing"], ["requantize", "--vectors", "0"]])
def test_bad_sources(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cosim", *words, "--simulator", "icarus"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_simulator(
    cases: list[Case],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = written(cases[:1], tmp_path / "set")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["cosim", folder, "--simulator", "icarus"]) == 3
    assert "apt-get install iverilog" in capsys.readouterr().err


def test_drawn_vectors_fill_up_the_directed_ones() -> None:
    made = list(vectors("requantize", TFLITE, 5, 50_000))
    directed = [case for case in made if case.classes]
    drawn = [case for case in made if not case.classes]
    assert directed
    assert drawn
    assert 50_000 <= sum(case.expected.size for case in made) < 80_000
    again = list(vectors("requantize", TFLITE, 5, 50_000))
    assert all(np.array_equal(a.expected, b.expected) for a, b in zip(made, again, strict=True))
    assert len({case.name for case in made}) == len(made)
    inside = np.concatenate([case.expected.reshape(-1) for case in drawn])
    assert np.mean((inside > -128) & (inside < 127)) > 0.2


def test_vectors_of_a_primitive(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cosim", "bias_add", "--vectors", "3000", "-s", "icarus", "--json"]) == 0
    found = json_of(capsys)
    assert found["elements"] >= 3000
    assert found["mismatches"] == 0


@pytest.mark.parametrize("simulator", ["icarus", pytest.param("verilator", marks=pytest.mark.soak)])
def test_a_network(simulator: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cosim", "digits", "--simulator", simulator, "--json"]) == 0
    found = json_of(capsys)
    kinds = {call["primitive"] for call in found["calls"]}
    assert kinds >= {"correlation", "bias_add", "requantize", "add", "max_pool", "avg_pool"}
    assert {each["primitive"] for each in found["skipped"]} == {"reshape"}
    assert found["mismatches"] == 0


def test_as_many_run_side_by_side_as_there_are_processors() -> None:
    assert Settings("icarus").processes == len(os.sched_getaffinity(0))
    assert Settings("icarus", workers=3).processes == 3
