"""rotary.sv on a simulator: turns of both pairings, at the ends of codes and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from hw_models import FixedFormat
from hw_models.schemes import Converter, FixedPoint, MulAddShift, PowerOfTwo
from qsim.cosim.jobs.makers import job
from qsim.target import Target
from tests.qsim.cosim.jobs import unit_cases as make
from tests.qsim.cosim.jobs.array_cases import codes
from tests.rtl.arrays import FULL, agree, broken, first_difference, run

TARGET = Target.load("integer-transformer")
INT8, UINT8, INT16 = FixedFormat(8), FixedFormat(8, signed=False), FixedFormat(16)


@pytest.mark.parametrize(
    ("pairing", "scheme"),
    [
        ("half", PowerOfTwo(13, "stochastic", seed=3)),
        ("interleaved", FixedPoint.from_scale(1.1 / (1 << 14))),
        pytest.param("interleaved", PowerOfTwo(14), marks=pytest.mark.soak),
        pytest.param("half", MulAddShift(3, 5, 15), marks=pytest.mark.soak),
        pytest.param("half", Converter(-9, 5, 16), marks=pytest.mark.soak),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_turns(pairing: str, scheme: Any) -> None:
    cos, sin = hw.rotary_tables(5, 6)
    x = codes(INT8, (2, 5, 6))
    agree(job(make.rotary(x, cos, sin, scheme, points=(-7, 9), pairing=pairing), TARGET))


def test_the_ends_of_codes_and_tables() -> None:
    ends = np.array([INT16.min, INT16.max])
    x = np.stack(np.meshgrid(ends, ends), axis=-1).reshape(4, 2)
    cos, sin = np.array([[16383], [-16384], [16383], [-16384]]), np.array([[-16384]] * 4)
    scheme, narrow, wide = PowerOfTwo(14, "half_even"), FixedFormat(15), FixedFormat(23)
    agree(job(make.rotary(x, cos, sin, scheme, INT16, FixedFormat(20), narrow), TARGET))
    one = make.rotary(x >> 8, cos << 8, sin << 8, scheme, INT8, FixedFormat(32), wide, (3, 1))
    made = job(one, TARGET)
    assert made.unit.parameters["TURN_W"] == 23
    agree(made)


@pytest.mark.soak
def test_unsigned_codes_on_verilator() -> None:
    cos, sin = hw.rotary_tables(4, 4)
    x = codes(UINT8, (4, 4))
    agree(job(make.rotary(x, cos, sin, PowerOfTwo(14), UINT8, UINT8, points=(128, 128)), TARGET),
          "verilator")  # fmt: skip


def test_one_pair_a_cycle() -> None:
    cos, sin = hw.rotary_tables(16, 8)
    made = job(make.rotary(codes(INT8, (16, 8)), cos, sin, PowerOfTwo(14)), TARGET)
    assert len(made.beats) == 64
    assert run(made, FULL).cycles <= 64 + 2


def test_a_wrong_sign_is_found_where_it_matters(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "rotary_core.sv", "W'(b_cos) + W'(a_sin)", "W'(b_cos) - W'(a_sin)")
    cos, sin = np.array([[1 << 14, 0]]), np.array([[0, 1 << 14]])
    case = make.rotary([[3, 5, 7, 11]], cos, sin, PowerOfTwo(14))
    assert case.expected.tolist() == [[3, -11, 7, 5]]
    assert first_difference(job(case, TARGET), rtl) == (0, 3)
