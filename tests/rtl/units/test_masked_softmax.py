"""softmax.sv with a mask: hidden codes change nothing, a row that shows nothing is 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.softmax import IbertSoftmax
from qsim.cosim.jobs.makers import job
from qsim.target import Target
from tests.qsim.cosim.jobs import unit_cases as make
from tests.rtl.arrays import FULL, agree, broken, first_difference, run

TARGET = Target.load("integer-transformer")
SCHEME = IbertSoftmax.from_scale(0.06, 1.0, "half_up")
# The largest code hidden before, between and behind the shown ones; all shown, one, none.
X = np.array(
    [[127, -3, 9, 4], [-3, 127, 9, 4], [-3, 9, 4, 127], [5, 5, -128, 127], [1, 2, 3, 4], [7] * 4]
)
MASK = np.array(
    [[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 9, 0], [0, 0, 0, 0]]
)


def test_rows_of_every_kind() -> None:
    case = make.masked(X, MASK, SCHEME)
    assert case.expected[4].tolist() == [-128, -128, 127, -128]
    assert (case.expected[5] == -128).all()
    agree(job(case, TARGET))


def test_a_first_row_that_shows_nothing() -> None:
    agree(job(make.masked(X[::-1], MASK[::-1], SCHEME), TARGET))


def test_masks_of_both_kinds_broadcast_and_joined_with_a_constant() -> None:
    x = np.random.default_rng(3).integers(-128, 128, (2, 3, 4, 5))
    mask, allowed = np.arange(10).reshape(2, 1, 1, 5) % 3, np.tri(4, 5, 1)
    for hides in ("zero", "nonzero"):
        case = make.masked(x, mask, SCHEME, hides, allowed, axis=2)
        shown = job(case, TARGET).unit.inputs.unpack(job(case, TARGET).beats)["shown"]
        assert 0 < shown.sum() < x.size
        assert run(job(case, TARGET), FULL).agrees


@pytest.mark.soak
def test_on_verilator() -> None:
    agree(job(make.masked(X, MASK, SCHEME), TARGET), "verilator")


FAULTS = {
    "a hidden code is the largest": ("if (entering_shown && above) top", "if (above) top"),
    "a hidden code is added": ("shown[index] ? shifted[15:0] : '0", "shifted[15:0]"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_flaw_is_found_where_it_matters(name: str, tmp_path: Path) -> None:
    rtl = broken(tmp_path, "softmax.sv", *FAULTS[name])
    case = make.masked([[7] * 5, [-3, 90, 1, 2, 4]], [[1] * 5, [1, 0, 1, 0, 1]], SCHEME)
    assert first_difference(job(case, TARGET), rtl)[0] == 1
