"""softmax.sv on a simulator: long rows, rows of one code, equal codes, masked codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models import FixedFormat
from hw_models.integer_function import Exponential
from hw_models.softmax import IbertSoftmax
from qsim.cosim.jobs.makers import job
from qsim.cosim.lanes.interface import Stimulus
from qsim.target import Target
from tests.qsim.cosim.jobs import unit_cases as make
from tests.rtl.arrays import FULL, agree, broken, first_difference, run

TARGET = Target.load("integer-transformer")
INT8, INT16 = FixedFormat(8), FixedFormat(16)
UINT8, UINT16 = (FixedFormat(bits, signed=False) for bits in (8, 16))


def rows(length: int, count: int, form: FixedFormat = INT8) -> np.ndarray:
    """Return rows of codes: drawn, all equal, one far above the others, one masked to the end."""
    x = np.random.default_rng(1).integers(form.min, form.max, (count, length), endpoint=True)
    x[1 % count] = form.max
    x[2 % count] = form.min
    x[2 % count, -1] = form.max
    x[3 % count, length // 3 :] = form.min
    return x


@pytest.mark.parametrize(
    ("rounding", "scale", "length"),
    [("floor", 0.06, 7), ("half_up", 16.0, 5), ("half_up", 2.0**-40, 9), ("half_up", 0.25, 1)],
)
def test_rows_of_8_bits(rounding: str, scale: float, length: int) -> None:
    scheme = IbertSoftmax.from_scale(scale, 1.0, rounding)
    agree(job(make.softmax(rows(length, 5), scheme), TARGET))


def test_codes_of_16_bits() -> None:
    scheme = IbertSoftmax.from_scale(2.0**-12, 1.0, "half_up")
    made = job(make.softmax(rows(11, 5, INT16), scheme, INT16, UINT16), TARGET)
    assert made.unit.parameters["OUT_W"] == 16
    agree(made)


def test_unsigned_codes_along_another_axis_and_few_bits() -> None:
    scheme = IbertSoftmax.from_scale(0.1)
    x = rows(6, 8, UINT8).reshape(2, 4, 6)
    agree(job(make.softmax(x, scheme, UINT8, FixedFormat(4, narrow=True), axis=1), TARGET))


def test_a_row_of_small_terms_reaches_the_largest_quotient() -> None:
    """One term of 1: the quotient is 2**32, and the only probability is clamped."""
    scheme = IbertSoftmax(Exponential(1, 1, 1, 0), "half_up")
    case = make.softmax([[5], [-7]], scheme)
    assert case.expected.tolist() == [[127], [127]]
    agree(job(case, TARGET))


def test_long_rows_have_a_unit_of_their_own() -> None:
    scheme = IbertSoftmax.from_scale(2.0**-6)
    made = job(make.softmax(rows(1025, 2), scheme), TARGET)
    assert made.unit.parameters["LENGTH_W"] == 11
    assert run(made, FULL).agrees


@pytest.mark.soak
def test_verilator_too() -> None:
    agree(job(make.softmax(rows(7, 5), IbertSoftmax.from_scale(0.06)), TARGET), "verilator")


def test_three_cycles_for_each_code() -> None:
    made = job(make.softmax(rows(40, 3), IbertSoftmax.from_scale(0.06)), TARGET)
    # Bench and output register hold a beat for one cycle each; a row's quotient takes one.
    assert run(made, FULL).cycles <= 3 * (3 * 40 + 1) + 2


def test_a_wrong_rounding_is_found_where_it_matters(tmp_path: Path) -> None:
    """Without its nudge a probability is a code too low, where its fraction is half or more."""
    right = job(make.softmax(rows(7, 5), IbertSoftmax.from_scale(0.06, 1.0, "half_up")), TARGET)
    floor = make.softmax(rows(7, 5), IbertSoftmax.from_scale(0.06)).expected
    flat = right.unit.outputs.unpack(right.expected)["y"].reshape(floor.shape)
    first = tuple(int(i) for i in np.argwhere(flat != floor)[0])
    rtl = broken(tmp_path, "softmax_core.sv", "HALF_UP != 0 ? 49'b1 << (PLACES - 1) : '0", "'0")
    assert first_difference(right, rtl) == first


def test_a_row_that_waits_is_not_overwritten(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "softmax.sv", "wire free = !m_axis_tvalid ||", "wire free = 1 ||")
    made = job(make.softmax(rows(7, 5), IbertSoftmax.from_scale(0.06)), TARGET)
    result = run(made, Stimulus(seed=2, stall_output=0.5, idle_limit=1000), rtl=rtl)
    assert result.problems[0].kind in ("unstable", "dropped")
