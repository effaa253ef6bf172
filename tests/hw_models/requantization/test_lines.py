"""Lines of float32 that stand for fixed-point scales: thresholds, every accumulator, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.requantization import lines
from hw_models.requantization.fast import FUSED, prepare
from hw_models.requantization.modes import DOUBLE, DOUBLED, LINE, SINGLE
from hw_models.requantize import requantize_plan
from hw_models.schemes import FixedPoint

ENDS = np.array([-(1 << 31), 1 - (1 << 31), (1 << 31) - 2, (1 << 31) - 1], np.int64)
LIMITS = ((-128, 127), (0, 255), (-255, 0), (-131, 124), (5, 9), (-1000, -873))

needs_fused = pytest.mark.skipif(not FUSED, reason="no fused multiply-add")


def mode(scheme, zero=0):
    parameters = prepare(scheme, -128, 127, zero)
    return parameters and parameters.mode


@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("m", [1 << 30, (1 << 30) + 1, 1_717_986_918, (1 << 31) - 1])
def test_thresholds_are_where_the_value_steps(rounding, limits, m):
    for shift in (33, 34, 40, 45):
        scheme = FixedPoint(m, shift, rounding)
        found = lines.thresholds(
            scheme.multipliers, scheme.shifts, (rounding == "double", False), limits
        )
        assert found.shape == (1, limits[1] - limits[0])
        for k, x in zip(range(limits[0] + 1, limits[1] + 1), found[0].tolist(), strict=True):
            assert scheme.reference(x) >= k > scheme.reference(x - 1)


@pytest.mark.parametrize(
    ("m", "shift", "limits"),
    [(0, 40, (-128, 127)), (-5, 40, (-128, 127)), (1 << 30, 51, (0, 1)), (3, 33, (-128, 127)),
     (1 << 30, 40, (4, 4)), (1 << 30, 40, (900, 1025))],
)  # fmt: skip
def test_no_thresholds_beyond_what_can_be_checked(m, shift, limits):
    assert lines.thresholds(np.array([m]), np.array([shift]), (True, False), limits) is None


@needs_fused
@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize("zero", [0, 3, -128, 127, -60])
def test_every_accumulator_that_is_not_saturated(rounding, zero):
    rng = np.random.default_rng(zero + 200)
    for log in (3, 4, 7, 10, 11.5):
        scale = np.array([*(2.0**-log * rng.uniform(0.6, 1, 4)), 2.0 ** -round(log)])
        scheme = FixedPoint.from_scale(scale, rounding=rounding)
        widest = int(260 / scale.min()) + 5
        x = np.arange(-widest, widest + 1)
        x = np.concatenate([x, ENDS, rng.integers(-(1 << 31), 1 << 31, 1 << 12)]).astype(np.int32)
        x = np.tile(x, (1, 5, 1))
        plan = requantize_plan(scheme, zero)
        assert mode(scheme, zero) >= LINE
        np.testing.assert_array_equal(plan(x), plan(x, Ledger()))


@needs_fused
def test_the_mode_is_the_least_that_is_right():
    assert mode(FixedPoint.from_scale(0.001, rounding="single")) == LINE
    assert mode(FixedPoint.from_scale(0.02, rounding="single")) == LINE + 1
    assert mode(FixedPoint.from_scale(0.001)) == LINE + 2
    assert mode(FixedPoint.from_scale(0.02)) == LINE + 3
    assert mode(FixedPoint.from_scale([0.02, 0.001])) == LINE + 3
    # Every step is above zero.
    assert mode(FixedPoint.from_scale(0.001), -128) == LINE
    assert mode(FixedPoint.from_scale(0.001), 127) == LINE
    # 2**24 - 2**12 at -2**31, and a little more.
    assert mode(FixedPoint.from_scale(0.00781, rounding="single")) == LINE
    assert mode(FixedPoint.from_scale(0.00782, rounding="single")) == LINE + 1


@needs_fused
def test_one_channel_without_a_line_leaves_all_to_products():
    for rounding, other in (("double", DOUBLED), ("single", SINGLE)):
        assert mode(FixedPoint.from_scale([0.001, 2e-6], rounding=rounding)) == other
    assert mode(FixedPoint([1 << 30, -5], [40, 40])) == DOUBLE
    # A scale small enough that 24 bits tell none of all lines from a wrong one.
    scheme = FixedPoint.from_scale(2.3e-5)
    assert lines.thresholds(scheme.multipliers, scheme.shifts, (True, False), (0, 255)) is not None
    assert mode(scheme, -128) == DOUBLED
    x = np.arange(-(1 << 23), 1 << 24, 5, dtype=np.int32)
    plan = requantize_plan(scheme, -128)
    np.testing.assert_array_equal(plan(x), plan(x, Ledger()))


@needs_fused
@pytest.mark.parametrize("seed", range(4))
def test_lines_of_random_plans_near_their_thresholds(seed):
    rng = np.random.default_rng(seed)
    for rounding in ("double", "single"):
        for log in rng.uniform(2, 12, 6):
            scale = np.exp2(-log + rng.uniform(-0.3, 0.3, 16))
            signed = bool(rng.integers(2))
            zero = int(rng.integers(-200, 300))
            clamp = tuple(sorted(rng.integers(0, 128, 2).tolist()))
            scheme = FixedPoint.from_scale(scale, rounding=rounding)
            plan = requantize_plan(scheme, zero, FixedFormat(8, signed), clamp)
            values = rng.integers(-600, 600, (16, 500)) / 2 - zero
            x = np.floor(values / scale[:, None]) + rng.integers(-1, 3, values.shape)
            x = x.astype(np.int32)[None]
            np.testing.assert_array_equal(plan(x), plan(x, Ledger()))
