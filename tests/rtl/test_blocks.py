"""Designs as they are published: wide words, folds, weights in a file; by the public function."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qsim
from qsim.cli import main
from qsim.cosim import Report
from qsim.cosim.dut import explain, load
from qsim.cosim.simulators import BuildError
from qsim.errors import UsageError
from tests.tree import DESIGNS


def bound(folder: Path, name: str, *changes: tuple[str, str], wrong: int = 0) -> Path:
    """Copy a design, and change its binding."""
    for file in DESIGNS.glob(f"{name}.*"):
        shutil.copy(file, folder)
    path = folder / f"{name}.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(f"{text}\n[parameters]\nWRONG = {wrong}\n")
    return path


def wide(folder: Path, wrong: int = 0) -> Path:
    """Columns of 32 bits, that wrap as those of tflite do."""
    changes = (("bits = 20", "bits = 32"), ("lsb = 80", "lsb = 128"), ("192", "264"))
    path = bound(folder, "columns", *changes, wrong=wrong)
    path.write_text(path.read_text() + "W = 32\nWORD = 264\n")
    return path


def columns(path: Path, case: str = "") -> Report:
    target = qsim.Target.load("tflite" if "W = 32" in path.read_text() else "narrow20")
    return qsim.cosim.run("bias_add", simulator="icarus", target=target, dut=path, case=case)


def test_parameters_of_each_lane_differ_within_a_beat(tmp_path: Path) -> None:
    """A bias for each channel of an image: in C order four neighbours have the same."""
    assert columns(wide(tmp_path)).ok
    (tmp_path / "first").mkdir()
    first = columns(wide(tmp_path / "first", 1), "*image")
    assert first.mismatches > first.elements // 2
    (tmp_path / "turned").mkdir()
    turned = columns(wide(tmp_path / "turned", 2), "*image")
    (call,) = turned.calls
    assert call.explanation is not None
    assert "the 4 lanes of operand bias are reversed" in " ".join(call.explanation.hints)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (", width = 192", "", "lsb, stride and bits that fill 192 bits, or width = 192 where"),
        ("width = 192", "width = 168", "port 'in_tdata' of columns has 192 bits, not 168"),
        ("width = 192", "width = 100", "its fields take 160 bits of port 'in_tdata', not 100"),
        ("mode = 2", "mode = 5", "port 'mode' of columns has 2 bits, not 3"),
    ],
)
def test_a_width_that_the_port_has_not(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        columns(bound(tmp_path, "columns", (old, new)))
    assert said in f"{caught.value.message} {caught.value.accepted}"


def test_what_a_tied_input_holds_up_is_named(tmp_path: Path) -> None:
    path = bound(tmp_path, "columns", ("mode = 2", "mode = 0"))
    (call,) = columns(path, "*image").calls
    assert call.explanation is not None
    assert "or that an input holds up ([tie] mode = 0)" in " ".join(call.explanation.hints)


BLOCKS = ("folded",)  # of docs/rtl-gallery.md
WEIGHTS = np.array(
    [
        [2, 55, -114, 110, -1, -102],
        [-48, -71, 62, 112, -2, 66],
        [-76, -1, -122, -18, 80, 15],
        [-35, 71, -47, -92, -57, 99],
    ]
)


def expected(x: Any) -> dict[str, Any]:
    """[..., 2, 3] codes of a vector in two beats: the sums of two folds of two neurons."""
    sums = x.reshape(*x.shape[:-2], 6) @ WEIGHTS.T
    return {"y": sums.reshape(*x.shape[:-2], 2, 2)}


def folded(path: Path) -> Report:
    x = np.random.default_rng(1).integers(-128, 128, (60, 2, 3))
    return qsim.cosim.run(simulator="icarus", dut=path, inputs={"x": x}, expected=expected)


def test_weights_in_a_file_and_a_vector_read_twice(tmp_path: Path) -> None:
    assert folded(bound(tmp_path, "folded")).ok


@pytest.mark.parametrize("wrong", [1, 2])
def test_a_folded_unit_that_is_wrong(tmp_path: Path, wrong: int) -> None:
    report = folded(bound(tmp_path, "folded", wrong=wrong))
    assert not report.ok
    if wrong == 2:  # right while nobody waits
        text = " ".join(report.calls[0].problems)
        assert re.search(r"out_V_TDATA changed from \w+ to \w+ while out_V_TVALID waited", text)
        assert "it agrees at full rate; all this is seen with stalls of" in text


SIGNS = """module signs (input clk, input [31:0] acc [1:0], input [31:0] bias [1:0],
    output logic [31:0] sum [1:0]);
  always_ff @(posedge clk) for (int i = 0; i < 2; i++) sum[i] <= acc[i] + bias[i];
endmodule
"""


@pytest.mark.parametrize("simulator", ["icarus", pytest.param("verilator", marks=pytest.mark.soak)])
def test_arrays_whose_sign_is_not_declared(tmp_path: Path, simulator: str) -> None:
    source = tmp_path / "signs.sv"
    source.write_text(SIGNS)
    options = ["--primitive", "bias_add", "--target", "deeploy-like"]
    assert main(["cosim", "--init", str(source), *options]) == 0
    path = tmp_path / "dut.toml"
    text = path.read_text()
    assert text.count('unpacked = "descending", elements_signed = false') == 3
    target = qsim.Target.load("deeploy-like")
    assert qsim.cosim.run("bias_add", simulator=simulator, target=target, dut=path).ok


def test_what_verilator_says_of_their_sign_is_explained() -> None:
    error = BuildError("Illegal assignment: Array element types are not equivalent (IEEE)")
    with pytest.raises(UsageError, match="declared with another sign") as caught:
        explain(error, load(DESIGNS / "arrays.toml"))
    assert "elements_signed = false" in caught.value.accepted
