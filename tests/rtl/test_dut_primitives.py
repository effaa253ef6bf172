"""Primitives that no RTL of the repository takes, and blocks that no primitive is, on designs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import qsim
from qsim.cli import main
from qsim.cosim.custom import calls
from qsim.cosim.dut import design, load
from qsim.cosim.lanes import Stimulus
from qsim.cosim.lanes.bulk import bulk_recipe, run_bulk
from qsim.cosim.simulators import build, find
from qsim.errors import UsageError
from tests.tree import ROOT

DUTS = ROOT / "tests" / "rtl" / "duts"
EXAMPLES = ROOT / "rtl_tb" / "examples"


def bound(folder: Path, name: str, parameters: str = "", **changes: str) -> Path:
    """Write the binding of a design with parameters, and with lines replaced."""
    place = DUTS if (DUTS / f"{name}.toml").is_file() else EXAMPLES / name
    text = (place / f"{name}.toml").read_text(encoding="utf-8")
    for suffix in ("sv", "v"):
        text = text.replace(f'["{name}.{suffix}"]', f'["{place / name}.{suffix}"]')
    if parameters:
        text += f"\n[parameters]\n{parameters}\n"
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


# Interpolated tables have an exact form too, which this design does not compute.
PRIMITIVES = {
    "maximum": ("maximum", "UNSIGNED = 1"),
    "transposed_correlation": ("one_product", "KEEP = 1"),
    "interpolate": ("interpolated", "FLOOR = 1"),
}


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_a_right_design_agrees_and_a_wrong_one_does_not(primitive: str, tmp_path: Path) -> None:
    name, wrong = PRIMITIVES[primitive]
    target = qsim.Target.load("tflite")
    skipped = "interpolate.exact"
    for parameters, stall in (("", 0.0), ("", 0.3), (wrong, 0.0)):
        report = qsim.cosim.run(
            primitive, target=target, simulator="icarus", stall=stall, vectors=300,
            dut=bound(tmp_path, name, parameters),
        ) if primitive != "interpolate" else rounded(tmp_path, parameters, stall)  # fmt: skip
        assert report.ok is not bool(parameters), parameters
        assert report.elements > 200
        assert {call.module for call in report.calls} == {name}
        assert skipped not in {call.name for call in report.calls}


def rounded(folder: Path, parameters: str, stall: float) -> qsim.cosim.Report:
    """Send the rounded calls of interpolate through the design."""
    from qsim.golden import samples

    target = qsim.Target.load("tflite")
    cases = [c for c in samples.cases("interpolate", target, 0, 300) if "exact" not in c.name]
    settings = qsim.cosim.Settings("icarus", stimulus=Stimulus(stall_input=stall))
    settings = qsim.cosim.with_dut(settings, bound(folder, "interpolated", parameters))
    return qsim.cosim.run_cases(cases, target, settings, "interpolate")


def test_results_of_a_block_are_compared_one_by_one(tmp_path: Path) -> None:
    def golden(x: np.ndarray, limits: np.ndarray) -> dict[str, np.ndarray]:
        met = x[..., None] >= limits
        return {"y": met.sum(axis=-1), "any": met.any(axis=-1)}

    dut = bound(tmp_path, "thresholds")
    right = qsim.cosim.run(dut=dut, simulator="icarus", vectors=400, expected=golden)
    assert right.ok
    assert right.target is None
    assert [call.name for call in right.calls] == ["thresholds.y", "thresholds.any"]
    strict = bound(tmp_path, "thresholds", "STRICT = 1")
    x = np.array([[5, 6, 7], [-1, 0, 1]])
    found = qsim.cosim.run(
        dut=strict, simulator="icarus", expected=golden,
        inputs={"x": x, "limits": np.array([-128, 6, 127])},
    )  # fmt: skip
    assert [call.mismatches for call in found.calls] == [1, 0]
    first = found.calls[0].first
    assert first is not None
    assert (first.index, first.expected, first.actual) == ((0, 1), 2, 1)


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_packets_come_out_with_a_length_of_their_own(tmp_path: Path, stall: float) -> None:
    random = np.random.default_rng(3)
    x = random.integers(-128, 128, (150, 7))  # 300 results: more than the buffer holds
    y = np.stack([x.min(axis=1), x.max(axis=1)], axis=1)
    arrays = {"inputs": {"x": x}, "expected": {"y": y}}
    dut = bound(tmp_path, "extremes")
    report = qsim.cosim.run(dut=dut, simulator="icarus", stall=stall, **arrays)
    assert report.ok, report.calls
    assert report.elements == 300
    wrong = bound(tmp_path, "extremes", "SWAPPED = 1")
    assert not qsim.cosim.run(dut=wrong, simulator="icarus", stall=stall, **arrays).ok


def test_a_result_too_few_is_told(tmp_path: Path) -> None:
    x = np.arange(12).reshape(4, 3)
    y = np.stack([x.min(axis=1), x.max(axis=1), x.max(axis=1)], axis=1)
    dut = load(bound(tmp_path, "extremes"))
    assert dut.custom is not None
    (call,) = calls(dut.custom, {"x": x}, {"y": y})
    program = build(bulk_recipe(design(dut, call.job.unit), find("icarus")))
    result = run_bulk(call.job, program, Stimulus(idle_limit=500))
    assert [problem.kind for problem in result.problems] == ["hang"]


def test_what_cannot_tell_packets_is_refused(tmp_path: Path) -> None:
    long = {"inputs": {"x": np.zeros((2, 300), int)}, "expected": {"y": np.zeros((2, 300), int)}}
    with pytest.raises(UsageError, match="a packet of custom has 300 results"):
        qsim.cosim.run(dut=bound(tmp_path, "extremes"), simulator="icarus", **long)
    dut = load(bound(tmp_path, "extremes"))
    assert dut.custom is not None
    (call,) = calls(dut.custom, {"x": np.zeros((2, 3), int)}, {"y": np.zeros((2, 2), int)})
    for change in ({"lanes": 2}, {"handshake": "fixed_latency", "latency": 1}):
        with pytest.raises(UsageError, match=r"several operations|does not say"):
            design(dataclasses.replace(dut, **change), call.job.unit)


def test_the_command_tells_a_block_that_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "golden.py").write_text(
        "def thresholds(x, limits):\n"
        "    met = x[..., None] >= limits\n"
        "    return {'y': met.sum(axis=-1), 'any': met.any(axis=-1)}\n"
    )
    arguments = ["cosim", "-s", "icarus", "--vectors", "500", "--dut"]
    wanted = ["--expected", f"{tmp_path}/golden.py:thresholds"]
    assert main([*arguments, str(bound(tmp_path, "thresholds")), *wanted]) == 0
    assert "block thresholds of" in capsys.readouterr().out
    strict = str(bound(tmp_path, "thresholds", "STRICT = 1"))
    assert main([*arguments, strict, *wanted]) == 1
    out = capsys.readouterr().out
    assert "custom thresholds.y" in out
    assert "first difference at [" in out
    assert main([*arguments, strict]) == 2
    assert "nothing says what must come out" in capsys.readouterr().err
    assert main(["cosim", "digits", "-s", "icarus", *wanted]) == 2
    assert "what must come out of digits is known" in capsys.readouterr().err
    assert main([*arguments[:3], "requantize", "--dut", strict]) == 2
    assert "requantize has no calls for it (accepted: --dut alone" in capsys.readouterr().err
    assert main([*arguments, strict, *wanted, "--samples", "3"]) == 2
    assert f"--samples: {strict} is a block" in capsys.readouterr().err


def test_a_primitive_without_rtl_needs_a_design(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cosim", "maximum", "-s", "icarus"]) == 2
    assert "no RTL for maximum" in capsys.readouterr().err
