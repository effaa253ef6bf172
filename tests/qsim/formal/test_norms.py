"""The proof of what is combinational in norm.sv: digits, sums, shifts; and flaws that it finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("z3")

from qsim import Target
from qsim.cli import main
from qsim.formal import Verdict
from qsim.formal.norms import MODULES, parts
from tests.rtl.arrays import broken

UNITS = Target.load("integer-transformer")


def verdicts(module: str, rtl: Path | None = None) -> list[Verdict]:
    (part,) = (part for part in parts("layer_norm", UNITS, rtl) if part.module == module)
    found = part.verdicts(60.0)
    assert len(found) == part.count or found[-1].status == "counterexample"
    return found


@pytest.mark.parametrize("module", ["norm_sums", "norm_variance", "quotient_digit"])
def test_a_part_is_proven(module: str) -> None:
    assert {each.status for each in verdicts(module)} == {"proven"}


def test_a_digit_that_leaves_out_a_perfect_square_is_refuted(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "root_digit.sv", "left >= part", "left > part")
    *_, found = verdicts("root_digit", rtl)
    assert (found.status, found.expected - found.actual) == ("counterexample", 1)


@pytest.mark.soak
@pytest.mark.parametrize("primitive", ["layer_norm", "group_norm", "rms_norm"])
def test_every_part_is_proven(primitive: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", primitive, "--target", UNITS.name, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "proven"
    assert [proof["core"] for proof in document["proofs"]] == list(MODULES)


@pytest.mark.soak
def test_another_rounding_is_refuted(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "norm_scale.sv", ".ROUNDING(4)", ".ROUNDING(6)")
    *_, found = verdicts("norm_scale", rtl)
    assert found.status == "counterexample"
    assert found.goal == "acc, shift 1"  # without a shift nothing is rounded
