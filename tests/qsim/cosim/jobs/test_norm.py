"""Beats of the norms: a packet for each row, with weight and bias of every element."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import FixedFormat, FloatScale, IntegerNorm
from qsim import Target
from qsim.cosim.jobs import bindable
from qsim.cosim.jobs.makers import job
from qsim.errors import UsageError
from tests.qsim.cosim.jobs.norm_cases import every, norm
from tests.rtl.broken import formulas
from tests.rtl.broken.elements import elements

UNITS = Target.load("integer-transformer")
CASES = every()


@pytest.mark.parametrize("name", CASES)
def test_the_beats_hold_what_makes_the_result(name: str) -> None:
    case = CASES[name]
    made = job(case, UNITS)
    made_of = [formulas.normed(element) for element in elements(made)]
    assert made_of == case.expected.reshape(-1).tolist()
    assert np.array_equal(made.last, made.expected_last)
    assert made.element[:, 0].tolist() == list(range(case.size))


def test_instances_have_a_row_for_each_channel() -> None:
    made = job(CASES["instances"], UNITS)
    assert np.flatnonzero(made.last).tolist() == [4, 9, 14, 19, 24, 29]
    weight = made.unit.inputs.unpack(made.beats)["weight"][:, 0].tolist()
    assert [len(set(weight[start : start + 5])) for start in range(0, 30, 5)] == [1] * 6
    assert weight[:15] == weight[15:]


def test_the_unit_has_the_widths_of_the_targets_units() -> None:
    parameters = job(CASES["layer"], UNITS).unit.parameters
    assert (parameters["W_W"], parameters["ROOT_BITS"], parameters["GUARD"]) == (16, 16, 6)
    assert parameters == job(CASES["instances"], UNITS).unit.parameters
    assert job(CASES["rms"], UNITS).unit.parameters == {**parameters, "CENTRED": 0}
    wide = norm("rms_norm", (1, 300), form=FixedFormat(16), x_zero_point=-40_000)
    parameters = job(wide, UNITS).unit.parameters
    assert (parameters["X_W"], parameters["ZX_W"], parameters["ROW_W"]) == (16, 17, 12)


def test_a_float_rescale_has_no_rtl() -> None:
    case = norm("layer_norm", (2, 4), 1, IntegerNorm(FloatScale(0.5)), plain=True)
    with pytest.raises(UsageError, match="no RTL for a norm that rescales by FloatScale"):
        job(case, UNITS)


def test_rtl_of_somebody_else_gets_rows_as_packets() -> None:
    made = bindable(CASES["groups"], UNITS)
    assert (made.unit.packet, made.unit.module, made.unit.sources) == (6, "", ())
    assert np.array_equal(made.beats, job(CASES["groups"], UNITS).beats)
