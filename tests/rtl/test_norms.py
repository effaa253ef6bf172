"""norm.sv on a simulator: every layout of rows, under stalls and resets, and broken copies."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import qsim
from hw_models import IntegerNorm, PowerOfTwo
from qsim import Target
from qsim.cli import main
from qsim.cosim.jobs.makers import job
from qsim.cosim.jobs.norm import SOURCES
from qsim.cosim.jobs.unit import Job
from qsim.cosim.lanes.interface import Stimulus
from qsim.cosim.simulators.wrapper import RTL
from qsim.golden import directed
from tests.qsim.cosim.jobs.norm_cases import every, norm
from tests.rtl.arrays import FULL, agree, broken, first_difference, run
from tests.rtl.broken import formulas
from tests.rtl.broken.elements import elements, together
from tests.rtl.broken.faults import tied
from tests.rtl.test_dut_primitives import DUTS, bound

UNITS = Target.load("integer-transformer")
CASES = every()
BEFORE = 2 * 16 + 7  # cycles between a row's last beat and its first result, with 16 digits

# A layer norm, a group norm and an instance norm of their own, in a network.
ENCODER = """
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norms = nn.Sequential(
            nn.Conv1d(5, 6, 3, padding=1), nn.GroupNorm(2, 6), nn.InstanceNorm1d(6, affine=True)
        )

    def forward(self, x):
        return self.norms(self.encoder(x))


def net():
    torch.manual_seed(0)
    return Encoder().eval(), torch.randn(32, 5, 8)
"""


@cache
def rows(*names: str) -> Job:
    """Return calls of one unit, one after the other."""
    jobs = [job(CASES[name], UNITS) for name in names]
    return together([replace(made, unit=jobs[0].unit) for made in jobs])


LAYERS = ("layer", "layer of two dimensions", "groups", "groups of a plane", "instances")


def test_rows_of_every_layout_agree() -> None:
    agree(rows(*LAYERS))
    agree(rows("rms", "rms of two dimensions"))


@pytest.mark.soak
@pytest.mark.parametrize("primitive", ["layer_norm", "group_norm", "rms_norm"])
def test_directed_vectors_and_other_widths_agree(primitive: str) -> None:
    for make in (directed.cases, directed.variants):
        groups: dict[str, list[Job]] = {}
        for case in make(primitive, UNITS, 5, 400):
            made = job(case, UNITS)
            groups.setdefault(repr(made.unit), []).append(made)
        for jobs in groups.values():
            for simulator in ("icarus", "verilator"):
                assert run(together(jobs), FULL, simulator).agrees


def test_every_element_draws_its_own_number() -> None:
    scheme = IntegerNorm(PowerOfTwo(5, "stochastic", 3), 2, 8)
    agree(job(norm("layer_norm", (4, 7), 1, scheme, plain=True), UNITS))


def test_a_row_takes_its_digits_and_a_cycle_each_way() -> None:
    made = job(norm("layer_norm", (1, 9)), UNITS)
    assert run(made, FULL).cycles == 9 + BEFORE - 1 + 9


def test_another_rounding_is_found_at_the_first_tie(tmp_path: Path) -> None:
    case = tied("layer_norm")
    made = job(case, UNITS)
    wrong = [formulas.normed(element, formulas.half_down) for element in elements(made)]
    (first, *_) = np.argwhere(case.expected != np.reshape(wrong, case.expected.shape)).tolist()
    rtl = broken(tmp_path, "norm_scale.sv", ".ROUNDING(4)", ".ROUNDING(5)")
    assert first_difference(made, rtl) == tuple(first)


def test_a_result_that_waits_is_not_overwritten(tmp_path: Path) -> None:
    made, slow = rows(*LAYERS), Stimulus(seed=3, stall_output=0.3, idle_limit=1000)
    wrong = "wire advance = 1'b1;"
    rtl = broken(tmp_path, "norm.sv", "wire advance = !found || ready;", wrong)
    assert run(made, FULL, rtl=rtl).agrees
    outcome = run(made, slow, rtl=rtl)
    assert outcome.differing
    assert [problem.kind for problem in outcome.problems] == ["hang"]


def test_a_row_is_not_remembered_over_a_reset(tmp_path: Path) -> None:
    made, reset = job(norm("layer_norm", (1, 9)), UNITS), Stimulus(resets=(5,), idle_limit=1000)
    right = "state <= GATHER;\n      count <= '0;"
    wrong = "state <= GATHER;\n      if (count === 'x) count <= '0;"
    rtl = broken(tmp_path, "norm.sv", right, wrong)
    assert run(made, reset).agrees
    assert run(made, FULL, rtl=rtl).agrees
    outcome = run(made, reset, rtl=rtl)
    assert (outcome.differing, outcome.problems[0].kind) == (9, "extra")


def test_a_design_of_one_s_own_norms_packets(tmp_path: Path) -> None:
    own = ", ".join(f'"{RTL / name}"' for name in SOURCES)
    top = f'"{DUTS / "row_norm.sv"}"]'
    for parameters, right in (("", True), ("LATE = 1", False)):
        dut = bound(tmp_path, "row_norm", parameters, **{top: f"{top[:-1]}, {own}]"})
        settings = qsim.cosim.with_dut(qsim.cosim.Settings("icarus"), dut)
        report = qsim.cosim.run_cases([CASES["layer"]], UNITS, settings, "row_norm")
        (call,) = report.calls
        assert (call.module, call.elements, call.mismatches == 0) == ("row_norm", 18, right)


@pytest.mark.soak
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_the_calls_of_an_encoder_agree(
    simulator: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "encoder.py"
    path.write_text(ENCODER, encoding="utf-8")
    asked = ["cosim", f"{path}:net", "--target", UNITS.name, "--simulator", simulator, "--json"]
    assert main(asked) == 0
    calls = json.loads(capsys.readouterr().out)["calls"]
    assert [call["primitive"] for call in calls if call["module"] == "norm"] == [
        *("layer_norm",) * 4,
        *("group_norm",) * 2,
    ]
