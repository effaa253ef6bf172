"""Vectors that a design cannot take: left out with the reason and a count, or refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_models import Accumulator
from qsim.cli import main
from qsim.cosim.dut.binding import Binding, Dut
from qsim.cosim.dut.file import load
from qsim.cosim.dut.vectors import without_unfit
from qsim.cosim.jobs import vectors
from qsim.cosim.jobs.makers import job
from qsim.errors import InputError
from qsim.golden import Case, write
from qsim.target import Target
from tests.qsim.cosim.jobs import array_cases as arrays
from tests.qsim.cosim.jobs import elementwise_cases as make

TFLITE = Target.load("tflite")
DUTS = Path(__file__).parents[3] / "rtl" / "duts"
ACC = np.array([[5, 70_000, -3, 9], [70_000, 1, 2, -70_000]]).reshape(1, 2, 4)


def sums(name: str = "sums", bias: tuple[int, int] = (4, 6)) -> Case:
    made = make.bias_add(ACC, np.array(bias), Accumulator())
    return dataclasses.replace(made, name=name, layer="")


def design(**changes: Any) -> Dut:
    dut = load(DUTS / "biased.toml")
    return dataclasses.replace(dut, **changes)


def test_elements_that_no_port_can_take_are_left_out() -> None:
    made = job(sums(), TFLITE)
    kept, reasons = without_unfit(design(), made)
    assert reasons == {"acc has a 16-bit port, which takes -32768..32767": 3}
    assert kept.element[:, 0].tolist() == [0, 2, 3, 5, 6]
    assert kept.elements == 5
    assert np.array_equal(kept.beats, made.beats[[0, 2, 3, 5, 6]])
    assert np.array_equal(kept.last, made.last[[0, 2, 3, 5, 6]])
    assert kept.shape == made.shape


def test_values_that_are_fixed_to_others_are_left_out() -> None:
    dut = design()
    fixed = dataclasses.replace(
        dut, operands={"acc": dataclasses.replace(dut.operands["acc"], bits=32)}, fixed={"bias": 6}
    )
    kept, reasons = without_unfit(fixed, job(sums(), TFLITE))
    assert reasons == {"the design has bias fixed to 6": 4}
    assert kept.element[:, 0].tolist() == [4, 5, 6, 7]


def test_an_element_is_counted_once_under_its_first_reason() -> None:
    fixed = design()
    fixed = dataclasses.replace(fixed, operands={"acc": fixed.operands["acc"]}, fixed={"bias": 6})
    kept, reasons = without_unfit(fixed, job(sums(), TFLITE))
    assert list(reasons.values()) == [4, 2]
    assert kept.elements == 2


def test_a_job_that_fits_is_as_it_was() -> None:
    made = job(dataclasses.replace(sums(), name="small"), TFLITE)
    wide = design()
    wide = dataclasses.replace(
        wide,
        operands={n: dataclasses.replace(b, bits=32) for n, b in wide.operands.items()},
    )
    kept, reasons = without_unfit(wide, made)
    assert kept is made
    assert not reasons


def test_a_window_goes_whole() -> None:
    case = arrays.pool("max_pool", (1, 2, 4, 4))
    made = job(case, arrays.target(2))
    dut = design(
        primitive="max_pool", operands={"x": Binding(("x",), 7, signed=True)}, fixed={},
    )  # fmt: skip
    kept, reasons = without_unfit(dut, made)
    x = case.operands["x"].reshape(2, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(2, 4, 4)
    fits = ((x >= -64) & (x <= 63)).all(axis=(0, 2))  # both channels travel together
    assert kept.elements == 2 * int(fits.sum())
    assert sum(reasons.values()) == 2 * int((~fits).sum()) > 0
    assert len(kept.beats) == 4 * int(fits.sum())
    assert int(kept.last.sum()) == len(kept.expected)


def test_a_table_that_cannot_be_loaded_leaves_nothing() -> None:
    made = job(make.lookup(np.arange(6), np.arange(256) - 128), TFLITE)
    ports = {name: Binding((name,), 8, signed=False) for name in ("load", "address")}
    dut = design(operands=ports | {"value": Binding(("value",), 7, signed=False)}, fixed={})
    kept, reasons = without_unfit(dut, made)
    assert reasons == {"value has a 7-bit port, which takes 0..127": 6}
    assert len(kept.expected) == kept.elements == 0


def test_strict_refuses_the_first() -> None:
    with pytest.raises(InputError, match="beat 1 of 'sums' has acc = 70000: acc has a 16-bit port"):
        without_unfit(design(), job(sums(), TFLITE), strict=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A golden set of two calls, and a design with 16-bit operands, beside each other."""
    write([sums("first.sums"), sums("second.sums", (7, 8))], tmp_path / "set", TFLITE)
    for name in ("biased.v", "biased.toml"):
        shutil.copy(DUTS / name, tmp_path)
    return tmp_path


def command(folder: Path, *words: str) -> int:
    dut = str(folder / "biased.toml")
    return main(["cosim", str(folder / "set"), "-s", "icarus", "--dut", dut, *words])


def test_the_report_tells_what_was_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(folder) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Every bit agrees" not in text
    assert "Every bit that was compared agrees: 10 elements in" in text
    assert "Not compared: 6 elements that the design cannot take." in text
    reason = "acc has a 16-bit port, which takes -32768..32767"
    assert f"6 elements: {reason} (first.sums, second.sums)" in text
    assert command(folder, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["elements"], found["left_out"], found["ok"]) == (10, 6, True)
    assert [call["left_out"] for call in found["calls"]] == [
        [{"reason": reason, "elements": 3}] for _ in range(2)
    ]


def test_strict_is_bad_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(folder, "--strict") == 2
    error = capsys.readouterr().err
    assert "beat 1 of 'first.sums' has acc = 70000" in error
    assert error.count("\n") == 1


def test_strict_needs_a_design(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cosim", str(folder / "set"), "-s", "icarus", "--strict"]) == 2
    assert "the repository's RTL takes every vector" in capsys.readouterr().err


def test_nothing_left_is_bad_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "biased.toml"
    words = path.read_text("utf-8").replace(
        'bias = { port = "bias", bits = 16, signed = true }', ""
    )
    path.write_text(words.replace("[results]", "[fixed]\nbias = 1\n\n[results]"), "utf-8")
    assert command(folder) == 2
    error = capsys.readouterr().err
    assert (
        "nothing to simulate: the design can take none of it: the design has bias fixed to 1"
        in error
    )
    assert error.count("\n") == 1


def test_a_field_that_is_none_is_bad_input(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "biased.toml"
    path.write_text(path.read_text("utf-8").replace("bias = {", "biases = {"), "utf-8")
    assert command(folder) == 2
    error = capsys.readouterr().err
    assert "biases" in error
    assert error.count("\n") == 1


def test_a_pattern_picks_calls(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(folder, "--case", "second*", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [call["name"] for call in found["calls"]] == ["second.sums"]


def test_a_pattern_that_nothing_matches_names_what_there_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(folder, "--case", "third*") == 2
    error = capsys.readouterr().err
    assert "no call has a name or a layer like 'third*'" in error
    assert "first.sums, second.sums" in error
    assert command(folder, "--case", "") == 2


def test_directed_vectors_of_a_symmetric_target_have_no_zero_points() -> None:
    target = Target.load("nvdla-like")
    made = [job(case, target) for case in vectors("requantize", target, 0, None)]
    dut = design(operands={}, fixed={"zero_point": 0})
    for each in made:
        kept, reasons = without_unfit(dut, each, strict=True)
        assert kept is each
        assert not reasons
