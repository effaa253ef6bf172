"""Every place that must know an overflow rule knows it, and who adds one is told of all of them."""

from __future__ import annotations

import re
from typing import get_args

import numpy as np
import pytest

from hw_models.bias_add import bias_add
from hw_models.correlation import output_reference
from hw_models.errors import AccumulatorOverflowError
from hw_models.formats import HOLDING, OVERFLOWS, RAISING, Accumulator
from hw_models.products.plan import CorrelationPlan
from qsim.cosim.jobs.bias_add import overflow_code
from qsim.target import words
from tests.hw_models.places.asking import in_docs, missing, missing_in_a_copy
from tests.tree import ROOT

TOTALS = (-20, -9, -8, -7, 0, 7, 8, 20)


def held(name, total):
    """What four bits hold, by the words of the documentation."""
    if name == "wrap":
        return (total + 8) % 16 - 8
    return min(max(total, -7 if name == "saturate_symmetric" else -8), 7)


def definition(name):
    assert (name in HOLDING) != (name in RAISING)
    register = Accumulator(4, name)
    assert register.saturates == name.startswith("saturate")
    assert register.wraps == (name == "wrap")
    if name in HOLDING:
        assert [register.hold(total) for total in TOTALS] == [held(name, t) for t in TOTALS]


def reference(name):
    if name in HOLDING:
        made = [output_reference([(n, 1)], 0, 0, Accumulator(4, name))[0] for n in TOTALS]
        assert made == [held(name, total) for total in TOTALS]
    else:
        assert output_reference([(0, 1)], 0, 0, Accumulator(4, name))[0] == 0
        with pytest.raises(AccumulatorOverflowError):
            output_reference([(8, 1)], 0, 0, Accumulator(4, name))


def sums(name):
    def made(total):
        return int(bias_add(np.array([[total]]), 0, Accumulator(4, name))[0, 0])

    each(name, made)


def products(name):
    def made(total):
        plan = CorrelationPlan(np.ones((1, 1, 1), np.int8), accumulator=Accumulator(4, name))
        return int(plan(np.full((1, 1, 1), total, np.int8))[0, 0, 0])

    each(name, made)


def each(name, made):
    """Compare with the words, or with the error, for every total."""
    for total in TOTALS:
        if name in HOLDING or -8 <= total <= 7:
            assert made(total) == held(name, total)
        else:
            with pytest.raises(AccumulatorOverflowError):
                made(total)


def rtl(name):
    text = (ROOT / "rtl_tb" / "rtl" / "overflow.sv").read_text()
    code = overflow_code(Accumulator(4, name))
    shown = name if name in HOLDING else "wrap"  # a run that completed had no overflow
    assert re.search(rf"^//   OVERFLOW {code} \({shown}\)", text, re.MULTILINE)


def literal(name):
    assert name in get_args(words.Overflow)


PLACES = {
    "hw_models.formats.Accumulator": definition,
    "hw_models.correlation.output_reference": reference,
    "hw_models.bias_add": sums,
    "hw_models.products.plan": products,
    "qsim.cosim.jobs.bias_add.overflow_code": rtl,
    "qsim/target/words.py": literal,
    "docs/numerics.md": lambda name: in_docs("numerics.md", "", name),
    "docs/targets.md": lambda name: in_docs("targets.md", r"^\| `correlation\.overflow` \|", name),
}


@pytest.mark.parametrize("name", OVERFLOWS)
def test_every_place_knows_every_rule(name):
    assert missing(PLACES, name) == []


def test_a_rule_that_is_a_name_alone_is_missed_everywhere(tmp_path):
    found = missing_in_a_copy(
        "test_overflow", "reflect", tmp_path, "formats.py",
        'Overflow: TypeAlias = Literal["wrap", "saturate", "saturate_symmetric", "error"',
    )  # fmt: skip
    assert found == list(PLACES)
