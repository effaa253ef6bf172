"""Quantized multiplication: every requantizer against the definition and against fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.mul import mul, reference
from hw_models.rounding import splitmix64
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo

INT16, INT32 = FixedFormat(16), FixedFormat(32)
GRID = np.arange(-128, 128, dtype=np.int8)
SCHEMES = [
    FixedPoint.from_scale(0.013),
    FixedPoint.from_scale(0.013, rounding="single"),
    FixedPoint.from_scale(0.013, rounding="double-half-up"),
    FixedPoint.from_scale(0.013, rounding="tosa-single"),
    FloatScale(0.013),
    PowerOfTwo(7, "half_away"),
    PowerOfTwo(7, "half_even"),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
@pytest.mark.parametrize("zeros", [(0, 0, 0), (-128, 127, -3)])
def test_every_pair_of_bytes(scheme, zeros):
    a, b = np.meshgrid(GRID, GRID[::5], indexing="ij")
    y = mul(a, b, scheme, *zeros)
    pairs = zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)
    assert y.reshape(-1).tolist() == [reference(p, q, scheme, *zeros) for p, q in pairs]
    assert y.dtype == np.int8


def test_ties_of_products():
    a, b = np.array([3, 3, -3, 5, -5], np.int8), np.array([1, -1, 1, 1, 1], np.int8)
    halves = {"half_away": [2, -2, -2, 3, -3], "half_up": [2, -1, -1, 3, -2]}
    for rounding, expected in halves.items():
        assert mul(a, b, PowerOfTwo(1, rounding)).tolist() == expected
    # gemmlowp: 3 / 4 and -3 / 4 by 2**30 and two shifts more; half up first, then half away.
    assert mul(a, b, FixedPoint(1 << 30, 31)).tolist() == [2, -1, -1, 3, -2]


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from([np.int8, np.uint8, np.int16, np.uint16, np.int32]),
    st.tuples(*[st.integers(-(1 << 15), 1 << 16)] * 3),
    st.integers(0, 40),
)
def test_exact_products_of_any_type(seed, dtype, zeros, shift):
    rng = np.random.default_rng(seed)
    info = np.iinfo(dtype)
    a = rng.integers(info.min, info.max, (3, 5), dtype, endpoint=True)
    b = rng.integers(info.min, info.max, (5,), dtype, endpoint=True)
    a[0, 0], b[0] = info.min, info.min
    ledger = Ledger()
    y = mul(a, b, PowerOfTwo(shift, "floor"), *zeros, INT32, ledger=ledger)
    exact = (a.astype(object) - zeros[0]) * (b.astype(object) - zeros[1])
    values = np.array([int(v) >> shift for v in exact.reshape(-1)], object) + zeros[2]
    assert y.reshape(-1).tolist() == np.clip(values, INT32.min, INT32.max).tolist()
    assert (ledger.minimum, ledger.maximum) == (min(values), max(values))
    assert ledger.kernel.startswith("mul-requantize")


def test_q15():
    a = np.array([-32768, -32768, 32767, 16384, 1], np.int16)
    b = np.array([-32768, 32767, 32767, 16384, 1], np.int16)
    y = mul(a, b, PowerOfTwo(15, "floor"), output=INT16)
    assert y.tolist() == [32767, -32767, 32766, 8192, 0]


def test_channels_layout_and_stochastic_draws():
    a = np.moveaxis(np.arange(24, dtype=np.int8).reshape(2, 4, 3), -1, 1)
    scheme = FixedPoint((1 << 30, 1 << 29, 1 << 28), 31, "single")
    y = mul(a, a, scheme, output=INT16)
    for c in range(3):
        expected = [reference(v, v, scheme, output=INT16, channel=c)
                    for v in a[:, c].ravel().tolist()]  # fmt: skip
        assert y[:, c].ravel().tolist() == expected
    assert np.argsort(y.strides).tolist() == np.argsort(a.strides).tolist()
    flat = a.reshape(-1)
    drawn = mul(a, a, PowerOfTwo(3, "stochastic", 9), output=INT16).reshape(-1)
    for i, v in enumerate(flat.tolist()):
        draw = splitmix64(9, i)
        assert drawn[i] == reference(v, v, PowerOfTwo(3, "stochastic", 9), output=INT16, draw=draw)


def test_clamp_ledger_empty_and_scalar():
    ledger = Ledger()
    a = np.array([[10, -10], [3, 100]], np.int8)
    y = mul(a, a, PowerOfTwo(0), zero_point=1, clamp=(1, 90), ledger=ledger)
    assert y.tolist() == [[90, 90], [10, 90]]
    assert (ledger.clamped, ledger.first, ledger.maximum) == (3, (0, 0), 10001)
    assert mul(np.empty((0, 2), np.int8), np.int8(3), PowerOfTwo(0), ledger=Ledger()).shape == (
        0,
        2,
    )
    assert mul(np.int8(7), np.int8(6), PowerOfTwo(0)).tolist() == 42
    one = Fraction(7 * 6, 1)
    assert mul(np.array([7]), np.array([6]), FloatScale(0.5)).tolist() == [int(one / 2)]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"a": np.array([[0, 0], [0, 1 << 31]]), "b": np.array([-(1 << 31), 1 << 31]),
          "a_zero_point": 1 - (1 << 32)}, r"64 bits, not \d+ at index \(1, 1\)"),
        ({"requantizer": FixedPoint(1, 1), "a": np.array([1, 1 << 16]), "b": 1 << 15},
         "double rounding is defined on 32-bit"),
        ({"a": np.ones(3, int)}, "broadcast"),
        ({"a": np.ones(2)}, "a must be an integer"),
        ({"b": np.array([1 << 32])}, "b must be codes of up to 32 bits"),
        ({"a_zero_point": 1 << 33}, "a_zero_point"),
        ({"requantizer": "x"}, "requantizer must be a scheme"),
        ({"clamp": (3, 1)}, "clamp"),
        ({"ledger": 0}, "Ledger"),
    ],
)  # fmt: skip
def test_refusals(arguments, match):
    ones = np.ones(2, np.int8)
    with pytest.raises(ContractError, match=match):
        mul(**{"a": ones, "b": ones, "requantizer": PowerOfTwo(1)} | arguments)


def test_extremes_that_never_meet_are_no_overflow():
    a = np.array([(1 << 32) - 1, 1])
    b = np.array([1, (1 << 32) - 1])
    assert mul(a, b, PowerOfTwo(31, "floor"), -1, -1).tolist() == [4, 4]


def test_empty_operands_with_the_widest_zero_points():
    for zero in ((1 << 32) - 1, 1 << 32, -(1 << 32)):
        empty = np.empty((0, 3), np.uint32)
        assert mul(empty, empty, PowerOfTwo(0), zero, zero).shape == (0, 3)
