"""mul.sv, and concat on requantize.sv, on a simulator: every scheme, both ends of the codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_models import FixedFormat
from hw_models.schemes import Converter, FixedPoint, FloatScale, MulAddShift, PowerOfTwo
from qsim.cosim.jobs.makers import job
from qsim.errors import UsageError
from qsim.target import Target
from tests.qsim.cosim.jobs import array_cases as arrays
from tests.qsim.cosim.jobs import elementwise_cases as make
from tests.rtl.arrays import FULL, agree, broken, first_difference, run

TARGET = Target.load("integer-transformer")
INT8, UINT8, INT16 = FixedFormat(8), FixedFormat(8, signed=False), FixedFormat(16)
# Every product of the ends of two formats with the middle and its neighbours.
NEAR = np.array([-128, -127, -1, 0, 1, 64, 126, 127])
SCHEMES = {
    "fixed point": FixedPoint.from_scale(0.0071),
    "power of two": PowerOfTwo(7, "stochastic", 5),
    "single": FixedPoint.from_scale(0.5, 32, "single"),
    "affine": MulAddShift(5, 70, 9, "half_up"),
    "converter": Converter(100, 300, 15),
    "a left shift": FixedPoint.from_scale(9.5),
}
EARLY = ("fixed point", "power of two")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in EARLY else [pytest.mark.soak]) for n in SCHEMES]
)
def test_products_under_every_scheme(name: str) -> None:
    case = make.mul(NEAR[:, None], NEAR, SCHEMES[name], points=(-7, 127, 9), clamp=[-120, 90])
    assert len(np.unique(case.expected)) > 4
    agree(job(case, TARGET))


@pytest.mark.soak
@pytest.mark.parametrize("form", [UINT8, INT16, FixedFormat(31)], ids=str)
def test_codes_of_other_formats(form: FixedFormat) -> None:
    ends = np.array([form.min, form.min + 1, 3, form.max])
    scheme = PowerOfTwo(2 * form.bits - 18, "half_even")
    case = make.mul(ends[:, None], ends, scheme, form, INT16, (form.max, 2, -5))
    agree(job(case, TARGET))


def test_channels_of_their_own() -> None:
    scheme = FixedPoint((1 << 30, 3 << 28, 1518500250), (37, 38, 36))
    a, b = arrays.codes(INT8, (2, 3, 4)), arrays.codes(INT8, (3, 1), 1)
    made = job(make.mul(a, b, scheme), TARGET)
    outcome = run(made, FULL)
    assert outcome.agrees
    assert outcome.cycles <= len(made.beats) + 2


def test_a_lost_zero_point_is_found_where_it_matters(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "mul_core.sv", "X_W'(wide_b) - X_W'(b_zero_point)", "X_W'(wide_b)")
    case = make.mul([[0, 0, 3]], [[1, 2, 3]], FixedPoint.from_scale(1.0), points=(0, 5, 0))
    assert case.expected.tolist() == [[0, 0, -6]]
    assert first_difference(job(case, TARGET), rtl) == (0, 2)


@pytest.mark.parametrize("scheme", [None, *SCHEMES.values()], ids=str)
def test_joined_codes_are_rescaled_as_their_operand_is(scheme: Any) -> None:
    parts = [arrays.codes(INT8, (2, n, 3), n) for n in (1, 4, 2)]
    case = make.concat(parts, [scheme, None, scheme], (5, 3, -128), 7)
    made = job(case, TARGET)
    assert made.unit.module == "requantize"
    assert run(made, FULL).agrees


def test_what_has_no_unit_is_refused() -> None:
    parts = [np.array([[1]]), np.array([[2]])]
    other = make.concat(parts, [PowerOfTwo(1), FixedPoint.from_scale(0.5)], (0, 0))
    with pytest.raises(UsageError, match="rescaled by different schemes"):
        job(other, TARGET)
    with pytest.raises(UsageError, match="concat with the rescale FloatScale"):
        job(make.concat(parts, [FloatScale(0.5), None], (0, 0)), TARGET)
    with pytest.raises(UsageError, match="mul with the rescale FloatScale"):
        job(make.mul([1], [2], FloatScale(0.5)), TARGET)
