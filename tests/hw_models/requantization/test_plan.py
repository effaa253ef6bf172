"""Requantization plans: the fast kernels at their limits, layouts, out=, and plans kept."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.requantization.fast import FUSED, prepare
from hw_models.requantization.modes import DOUBLE, DOUBLED, FLOAT, SHIFT_PARITY
from hw_models.requantize import RequantizePlan, reference, requantize, requantize_plan
from hw_models.rounding import DETERMINISTIC
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo
from tests.tree import ROOT

I32 = (-(1 << 31), (1 << 31) - 1)
TOP = (1 << 31) - 1


def near_ties(m: int, shift: int) -> np.ndarray:
    """Accumulators around every output threshold of ``x * m / 2**shift``, and the extremes."""
    found = {*I32, I32[0] + 1, I32[1] - 1, 0, 1, -1, 1 << 30, -(1 << 30), (1 << 24) + 1}
    for half in range(-600, 601):
        at = (half << (shift - 1)) // m
        found |= {at + d for d in (-2, -1, 0, 1, 2)}
    return np.array(sorted(v for v in found if I32[0] <= v <= I32[1]), np.int32)


def mode(scheme, low=-128, high=127, zero=0):
    parameters = prepare(scheme, low, high, zero)
    return parameters and parameters.mode


@pytest.fixture(params=["lines", "products"])
def way(request, monkeypatch):
    """Fixed-point scales with and without lines of float32, which some CPUs lack."""
    if request.param == "products":
        monkeypatch.setattr("hw_models.requantization.fast.FUSED", False)
    elif not FUSED:
        pytest.skip("no fused multiply-add")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize("m", [1 << 30, (1 << 30) + 1, 3 << 29, 1_717_986_918, TOP - 2048, TOP])
@pytest.mark.parametrize("shift", [33, 34, 40, 41, 52])
@pytest.mark.parametrize("zero", [0, -128, 77])
def test_every_threshold_of_fixed_point(rounding, m, shift, zero):
    scheme = FixedPoint(m, shift, rounding)
    x = near_ties(m, shift)
    expected = [reference(int(v), scheme, zero) for v in x]
    assert requantize_plan(scheme, zero)(x).tolist() == expected
    columns = np.repeat(x[:, None], 3, axis=1)
    many = requantize_plan(FixedPoint([m] * 3, [shift] * 3, rounding), zero)
    assert many(columns)[:, 1].tolist() == expected


def test_double_takes_the_quicker_form_only_where_32_bits_suffice(monkeypatch):
    monkeypatch.setattr("hw_models.requantization.fast.FUSED", False)
    assert mode(FixedPoint(TOP - 1024, 41)) == DOUBLED
    assert mode(FixedPoint(TOP, 41)) == DOUBLE
    assert mode(FixedPoint(-5, 41)) == DOUBLE
    assert mode(FixedPoint(I32[0], 41)) is None  # its product saturates
    assert mode(FixedPoint(1 << 30, 32)) is None
    # Both forms at the edge between them: |h| + constant just inside and just outside 32 bits.
    for m in (TOP - 514, TOP - 513, TOP - 512, TOP - 511, TOP - 510):
        for sign in (1, -1):
            scheme = FixedPoint(sign * m, 41)
            x = near_ties(m, 41)
            assert requantize(x, scheme).tolist() == [reference(int(v), scheme) for v in x]


@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("shift", [0, 1, 2, 10, 15, 16, 17, 22, 23, 24, 30])
@pytest.mark.parametrize(("zero", "signed"), [(0, True), (-128, True), (255, False)])
def test_every_threshold_of_shifts(rounding, shift, zero, signed):
    scheme, output = PowerOfTwo(shift, rounding), FixedFormat(8, signed)
    x = near_ties(1, shift) if shift else np.arange(-600, 601, dtype=np.int32)
    expected = [reference(int(v), scheme, zero, output, (1, 100)) for v in x]
    assert requantize(x, scheme, zero, output, (1, 100)).tolist() == expected
    expected = [reference(int(v), scheme, zero, output) for v in x]
    assert requantize(x, scheme, zero, output).tolist() == expected


def test_half_even_is_a_float_scale_only_where_float32_is_exact():
    assert mode(PowerOfTwo(16)) == FLOAT
    assert mode(PowerOfTwo(17)) == SHIFT_PARITY  # 128 * 2**17 = 2**24
    assert mode(PowerOfTwo([3, 17])) == SHIFT_PARITY
    assert mode(PowerOfTwo(10, "half_odd")) == SHIFT_PARITY


@pytest.mark.parametrize("scale", [0.5, 1e-3, 3.0e-38, 1e38, 1.4e-45, 0.00390625])
def test_every_threshold_of_a_float_scale(scale):
    scheme = FloatScale(scale)
    steps = [k / 2 / scale for k in range(-600, 601)] if scale > 1e-9 else [0.0]
    x = {int(v) + d for v in steps for d in (-1, 0, 1) if abs(v) < TOP - 2}
    values = np.array(sorted(x | {*I32, 0, 1, -1, (1 << 24) + 1} | set(range(-20, 20))), np.int32)
    for zero, output in ((-5, FixedFormat(8)), (128, FixedFormat(8, signed=False))):
        expected = [reference(int(v), scheme, zero, output) for v in values]
        assert requantize(values, scheme, zero, output).tolist() == expected


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "shape",
    [(1, 3, 5), (2, 16, 1), (1, 16, 16), (3, 5, 17), (2, 7, 63), (1, 64, 65), (2, 3, 131),
     (5, 24, 3), (70, 3, 1), (1, 72, 9), (9, 130, 2), (2, 5, 49), (1, 3, 40), (1, 1, 15),
     (1, 1, 33), (33, 64, 4)],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["double", "single", "float", "half_even", "half_away", "jam"])
def test_every_shape_of_rows_columns_and_remainders(shape, kind):
    rng = np.random.default_rng(7)
    channels = shape[1]
    scale = rng.uniform(1e-3, 1e-2, channels)
    scheme = {
        "double": lambda: FixedPoint.from_scale(scale),
        "single": lambda: FixedPoint.from_scale(scale, rounding="single"),
        "float": lambda: FloatScale(scale),
    }.get(kind, lambda: PowerOfTwo(rng.integers(0, 12, channels), kind))()
    plan = requantize_plan(scheme, -3)
    x = rng.integers(-20_000, 20_000, shape, np.int32)
    last = np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    first = np.ascontiguousarray(x.transpose(1, 2, 0)).transpose(2, 0, 1)
    expected = plan(x, Ledger())
    # Twice each: what was prepared for one geometry must not serve another.
    for array in (x, last, first, x[:, :, ::-1], x.astype(np.int64), x, last):
        y = plan(array)
        wanted = expected[:, :, ::-1] if array.strides[2] < 0 else expected
        np.testing.assert_array_equal(y, wanted)
        assert y.dtype == np.int8
    assert plan(last).strides == tuple(s // 4 for s in last.strides)


def test_out_receives_the_codes():
    rng = np.random.default_rng(3)
    x = rng.integers(-9000, 9000, (2, 4, 8, 8), np.int32)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    plan = requantize_plan(PowerOfTwo([5, 6, 7, 8]), 100, FixedFormat(8, signed=False))
    expected = plan(x)
    out = np.empty(x.shape, np.uint8)
    strided = np.empty((2, 4, 8, 16), np.uint8)[..., ::2]
    for array in (x, last):
        for target in (out, strided):
            target[...] = 1
            assert plan(array, out=target) is target
            np.testing.assert_array_equal(target, expected)
    ledger = Ledger()
    out[...] = 1
    np.testing.assert_array_equal(plan(x, ledger, out), expected)
    assert ledger.elements == x.size
    # The codes over the accumulators that they come from: read before they are written.
    same = x.copy()
    overlap = same.view(np.uint8)[..., :8]
    np.testing.assert_array_equal(plan(same, out=overlap), expected)
    for wrong in (np.empty(x.shape, np.int8), np.empty((2, 4, 64), np.uint8), [1]):
        with pytest.raises(ContractError, match="out must have the shape of acc"):
            plan(x, out=wrong)


def test_plans_are_kept_only_for_what_they_check():
    scheme, x = PowerOfTwo([1, 2, 3]), np.ones((1, 3, 64), np.int32)
    requantize(x, scheme, 1)
    kept = dict(scheme.prepared)
    assert [type(plan) for plan in kept.values()] == [RequantizePlan]
    requantize(x, scheme, 1)
    assert scheme.prepared == kept
    with pytest.raises(ContractError, match="zero_point"):
        requantize(x, scheme, True)  # equals 1, and is refused all the same
    with pytest.raises(ContractError, match="zero_point"):
        requantize(x, scheme, 1.0)
    for zero in range(40):
        requantize(x, scheme, zero)
    assert len(scheme.prepared) <= 16
    plan = requantize_plan(scheme)
    for size in range(16, 60):
        assert plan(np.full((1, 3, size), 8, np.int32))[0, :, 0].tolist() == [4, 2, 1]
    with pytest.raises(ContractError, match="3 for 4 channels"):
        plan(np.ones((1, 4, 64), np.int32))
    with pytest.raises(ContractError, match="axis must name"):
        plan(np.ones(64, np.int32))


PORTABLE = """
import numpy as np
from hw_models import FixedPoint, FloatScale, Ledger, PowerOfTwo
from hw_models.requantization.vector import PACKS
from hw_models.requantize import requantize_plan
assert not PACKS
rng = np.random.default_rng(1)
scale = rng.uniform(1e-3, 1e-2, 20)
for scheme in (FixedPoint.from_scale(scale), FixedPoint.from_scale(-scale + .02, rounding="single"),
               FixedPoint([-(1 << 30) - 5] * 20, [41] * 20), FloatScale(scale),
               *(PowerOfTwo([9] * 20, r) for r in ("half_up", "half_away", "half_odd", "jam"))):
    plan = requantize_plan(scheme, 3)
    x = rng.integers(-60_000, 60_000, (2, 20, 75), np.int32)
    x[:, :, :2] = -(1 << 31), (1 << 31) - 1
    for array in (x, x.transpose(0, 2, 1).copy().transpose(0, 2, 1)):
        np.testing.assert_array_equal(plan(array), plan(array, Ledger()))
print("equal")
"""


def test_a_processor_without_the_packing_instructions(tmp_path):
    environment = os.environ | {
        "NUMBA_CPU_NAME": "x86-64-v3" if platform.machine() in ("x86_64", "AMD64") else "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", PORTABLE],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "equal\n", done.stderr
