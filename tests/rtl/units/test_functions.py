"""integer_function.sv on a simulator: every code, every scale's end, every rescale."""

from __future__ import annotations

import math
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
from tests.rtl.arrays import FULL, agree, broken, run

TARGET = Target.load("integer-transformer")
INT8, UINT8, INT16 = FixedFormat(8), FixedFormat(8, signed=False), FixedFormat(16)
EVERY = np.arange(-128, 128)
WIDE = np.unique(
    np.concatenate(
        [[s * (1 << k) + d for k in range(15) for s in (1, -1) for d in (-1, 0, 1)],
         [-(1 << 15), (1 << 15) - 1, -(1 << 15) + 1],
         np.random.default_rng(1).integers(-(1 << 15), 1 << 15, 120)]
    )
)  # fmt: skip


def unit(kind: Any, scale: float, form: FixedFormat = INT8, zero: int = 0) -> Any:
    """Return a unit whose results use most of the output's codes."""
    most = scale * (form.max - zero)
    if kind is hw.IbertExp:
        y = math.exp(min(scale * form.max, 700.0)) / 250
        return kind.from_scales(scale, y, zero, -128, top=form.max)
    if kind in (hw.NewtonReciprocal, hw.NewtonRsqrt):
        y = 1 / scale / 100 if kind is hw.NewtonReciprocal else scale**-0.5 / 100
        return kind.from_scales(scale, y, zero, 3)
    y = 1 / 250 if kind is hw.ExpSigmoid else max(most, scale) / 120
    return kind.from_scales(scale, y, zero, -128 if kind is hw.ExpSigmoid else -5)


@pytest.mark.parametrize("kind", make.UNITS)
def test_every_code_of_8_bits(kind: Any) -> None:
    exp = kind is hw.IbertExp
    for scale, zero in ((0.05, -7), (2.0**-20, 127), (16.0, -128)):
        made = unit(kind, scale, zero=0 if exp else zero)
        assert run(job(make.function(EVERY, made), TARGET), FULL).agrees


@pytest.mark.soak
@pytest.mark.parametrize("kind", make.UNITS)
def test_every_unsigned_code(kind: Any) -> None:
    made = unit(kind, 0.0371, UINT8, 0 if kind is hw.IbertExp else 19)
    agree(job(make.function(EVERY + 128, made, UINT8), TARGET))


SOME = (hw.IbertGelu, hw.NewtonRsqrt)


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[] if k in SOME else [pytest.mark.soak]) for k in make.UNITS]
)
def test_codes_of_16_bits(kind: Any) -> None:
    for scale, zero in ((2.0**-9, 3), (2.0**-14 * 1.3, -(1 << 15)), (2.0**-40, (1 << 15) - 1)):
        made = unit(kind, scale, INT16, 0 if kind is hw.IbertExp else zero)
        agree(job(make.function(WIDE, made, INT16, FixedFormat(20)), TARGET))


@pytest.mark.parametrize(
    "scheme",
    [
        PowerOfTwo(21, "stochastic", seed=5),
        pytest.param(FixedPoint.from_scale(2.0**-21, 32, "single"), marks=pytest.mark.soak),
        pytest.param(MulAddShift(3, 5, 23, "half_even"), marks=pytest.mark.soak),
        Converter(-99, 77, 27),
    ],
    ids=lambda scheme: type(scheme).__name__,
)
def test_every_rescale(scheme: Any) -> None:
    made = hw.ExpSilu(hw.Exponential.from_scale(0.05), scheme, 7, -3)
    agree(job(make.function(EVERY, made), TARGET))


def test_infinity_is_the_largest_code_whatever_the_zero_point() -> None:
    case = make.function([5, 4, 6], hw.NewtonReciprocal(1 << 15, 0, 5, -(1 << 31)))
    assert case.expected[0] == 127
    assert run(job(case, TARGET), FULL).agrees


def test_one_beat_a_cycle() -> None:
    made = job(make.function(EVERY, unit(hw.IbertGelu, 0.05)), TARGET)
    assert run(made, FULL).cycles <= len(made.beats) + 2


FAULTS = {
    "an octave less": ("exponential.sv", ">>> z;", ">>> (z - (z == 5'd3));", hw.IbertExp),
    "a gate too low": ("exponential_gate.sv", "16'h8000 -", "16'h7fff -", hw.ExpSigmoid),
    "an erf beside itself": ("gelu_curve.sv", "- lifted[14:0];", "- lifted[14:0] - 15'd90;",
                             hw.IbertGelu),
    "a tie goes down": ("newton_scale.sv", "product + half", "product + half - 1", hw.NewtonRsqrt),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_flaw_is_found_where_it_matters(name: str, tmp_path: Path) -> None:
    file, right, wrong, kind = FAULTS[name]
    made = job(make.function(EVERY, unit(kind, 0.05)), TARGET)
    outcome = run(made, FULL, rtl=broken(tmp_path, file, right, wrong))
    assert not outcome.problems
    assert 0 < outcome.differing < len(made.beats)
