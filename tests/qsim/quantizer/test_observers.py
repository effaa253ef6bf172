"""Ranges, scales and zero points: the formulas of qsim.quantizer.qparams and who feeds them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim.errors import InputError
from qsim.quantizer.observers import ActivationObserver, PerChannelWeightObserver, WeightObserver
from qsim.quantizer.qparams import EPS, Coding, choose, power_of_two_above, quantize_error

INT8 = (-128, 127)


def activation(method="min_max", scheme="asymmetric", codes=INT8):
    return ActivationObserver(
        torch.int8, *codes, torch.per_tensor_affine, scheme=scheme, method=method, layer="conv"
    )


def weight(method="min_max", scheme="symmetric", codes=(-127, 127), axis=None):
    kind = WeightObserver if axis is None else PerChannelWeightObserver
    qscheme = torch.per_tensor_symmetric if axis is None else torch.per_channel_symmetric
    return kind(
        torch.int8, *codes, qscheme, scheme=scheme, method=method, layer="conv", ch_axis=axis
    )


def one(low, high, codes, scheme):
    scale, zero = choose(np.array([low]), np.array([high]), Coding(*codes, scheme))
    return float(scale[0]), int(zero[0])


@pytest.mark.parametrize(
    ("low", "high", "codes", "scheme", "scale", "zero"),
    [
        (0.0, 255.0, INT8, "asymmetric", 1.0, -128),
        (-255.0, 0.0, INT8, "asymmetric", 1.0, 127),
        (-128.0, 127.0, INT8, "asymmetric", 1.0, 0),
        (-1.0, 254.0, (0, 255), "asymmetric", 1.0, 1),
        # The range is widened to contain 0.
        (51.0, 255.0, INT8, "asymmetric", 1.0, -128),
        (-255.0, -51.0, INT8, "asymmetric", 1.0, 127),
        (0.0, 1.0, (0, 1), "asymmetric", 1.0, 0),
        # The tie: low / scale = -0.5 takes the larger zero point.
        (-0.5, 254.5, INT8, "asymmetric", 1.0, -127),
        (-1.5, 253.5, INT8, "asymmetric", 1.0, -126),
        (-127.0, 127.0, (-127, 127), "symmetric", 1.0, 0),
        # Neither end clips: the negative side has one code more.
        (-128.0, 127.0, INT8, "symmetric", 1.0, 0),
        (-256.0, 127.0, INT8, "symmetric", 2.0, 0),
        (-1.0, 0.0, (-1, 0), "symmetric", 1.0, 0),
        # Unsigned codes with zero point 0: negative values clip and do not count.
        (-900.0, 255.0, (0, 255), "symmetric", 1.0, 0),
        (-1.0, 127.0 / 128, INT8, "power_of_two", 2.0**-7, 0),
        # One ulp of float32 beyond counts, one of float64 does not.
        (-1.0, 127 / 128 + 2.0**-24, INT8, "power_of_two", 2.0**-6, 0),
        (-1.0 - 2.0**-24, 0.0, INT8, "power_of_two", 2.0**-6, 0),
        (-1.0, np.nextafter(127 / 128, 1), INT8, "power_of_two", 2.0**-7, 0),
        (np.nextafter(-1.0, -2), 0.0, INT8, "power_of_two", 2.0**-7, 0),
        (-3.0, 100.0, INT8, "power_of_two", 1.0, 0),
        # Nothing to scale.
        (0.0, 0.0, INT8, "asymmetric", 1.0, -128),
        (0.0, 0.0, INT8, "power_of_two", 1.0, 0),
        # The floor.
        (0.0, 1e-30, INT8, "power_of_two", EPS, 0),
        (0.0, 1e-30, INT8, "symmetric", EPS, 0),
    ],
)
def test_directed(low, high, codes, scheme, scale, zero):
    assert one(low, high, codes, scheme) == (scale, zero)


def test_power_of_two_above_is_exact_at_the_powers():
    powers = 2.0 ** np.arange(-48, 40)
    assert np.array_equal(power_of_two_above(powers), powers)
    assert np.array_equal(power_of_two_above(np.nextafter(powers, np.inf)), 2 * powers)
    assert np.array_equal(power_of_two_above(np.nextafter(powers, 0)), powers)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    bits=st.integers(2, 32),
    signed=st.booleans(),
    scheme=st.sampled_from(["asymmetric", "symmetric", "power_of_two"]),
    exponent=st.integers(-10, 10),
)
def test_nothing_in_the_range_clips(seed, bits, signed, scheme, exponent):
    codes = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    x = np.random.default_rng(seed).normal(size=50) * 2.0**exponent
    x = x if signed or scheme == "asymmetric" else np.abs(x)
    coding = Coding(*codes, scheme)
    scale, zero = choose(x.min(keepdims=True), x.max(keepdims=True), coding)
    s, z = float(scale[0]), int(zero[0])
    assert s == float(np.float32(s))
    assert codes[0] <= z <= codes[1]
    assert scheme == "asymmetric" or z == 0
    assert scheme != "power_of_two" or math.frexp(s)[0] == 0.5
    # One code of slack: scale and zero point are rounded.
    got = np.rint(x / s) + z
    assert got.min() >= codes[0] - 1
    assert got.max() <= codes[1] + 1
    if bits > 24:
        # fp32's clamp would turn the largest code into a power of two, outside the format.
        assert np.abs(got - z).max() < 2.0**bits * (1 - 2.0**-21)


def test_zero_channels_take_the_smallest_scale_of_the_others():
    observer = weight(axis=0)
    observer(torch.tensor([[1.27, 0.0], [0.0, 0.0], [-2.54, 1.0]]))
    scale, _ = observer.calculate_qparams()
    assert torch.equal(scale, torch.tensor([0.01, 0.01, 0.02]))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_channel_axis(axis):
    observer = weight(axis=axis)
    x = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    observer(x)
    others = [d for d in range(3) if d != axis]
    expected = (x.amax(dim=others).double() / 127).float()
    assert torch.equal(observer.calculate_qparams()[0], expected)


def test_min_max_remembers_all_batches_and_skips_empty_ones():
    observer = activation()
    for low, high in ((-1.0, 1.0), (-3.0, 0.5), (-2.0, 4.0)):
        observer(torch.tensor([low, high]))
    observer(torch.empty(0))
    assert (observer.low, observer.high, observer.batches) == (-3.0, 4.0, 3)


def test_moving_average():
    observer = activation("moving_average")
    for high in (1.0, 2.0, 2.0):
        observer(torch.tensor([0.0, high]))
    assert observer.high == 1.01 + 0.01 * (2.0 - 1.01)


@pytest.mark.parametrize("scheme", ["asymmetric", "symmetric", "power_of_two"])
@pytest.mark.parametrize("bits", [2, 4, 8, 12])
@pytest.mark.parametrize("method", ["histogram", "mse"])
def test_clipping_observers_are_deterministic_and_not_wider(method, bits, scheme):
    codes = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    x = torch.randn(20000, generator=torch.Generator().manual_seed(1))
    x[0] = 40.0
    found = []
    for _ in range(2):
        observer, plain = activation(method, scheme, codes), activation("min_max", scheme, codes)
        observer(x)
        plain(x)
        found.append(observer.qparams())
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    assert found[0][0][0] <= plain.qparams()[0][0]
    # At 4 bits one outlier among 20000 is given up for the rest.
    assert bits != 4 or found[0][0][0] < plain.qparams()[0][0]
    assert scheme != "power_of_two" or math.frexp(found[0][0][0])[0] == 0.5


def error(x, qparams, coding):
    rows = x.double().numpy().reshape(1, -1)
    return float(quantize_error(rows, np.ones((1, 1)), *qparams, coding)[0])


@pytest.mark.parametrize("scheme", ["asymmetric", "symmetric", "power_of_two"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_mse_is_never_worse_than_min_max_on_weights(bits, scheme):
    codes = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    x = torch.randn(4, 200, generator=torch.Generator().manual_seed(bits)) ** 3
    best, plain = weight("mse", scheme, codes, axis=0), weight("min_max", scheme, codes, axis=0)
    best(x)
    plain(x)
    for row in range(4):
        pair = [tuple(part[row : row + 1] for part in o.qparams()) for o in (best, plain)]
        errors = [error(x[row], qparams, best.coding) for qparams in pair]
        assert errors[0] <= errors[1]
    assert bits > 4 or not np.array_equal(best.qparams()[0], plain.qparams()[0])


def test_mse_finds_the_ratio_of_a_brute_force_search():
    x = torch.randn(500, generator=torch.Generator().manual_seed(3)) ** 3
    observer = weight("mse", "symmetric", (-7, 7))
    observer(x)
    bound = float(x.abs().max())
    coding = Coding(-7, 7, "symmetric", exact=True)
    low, high = float(x.min()), float(x.max())
    tried = {}
    for percent in range(100, 19, -1):
        qparams = choose(np.array([low * percent / 100]), np.array([high * percent / 100]), coding)
        codes = np.clip(np.rint(x.double().numpy() / qparams[0]), -7, 7)
        tried[percent] = (float(((codes * qparams[0] - x.double().numpy()) ** 2).sum()), qparams)
    best = min(tried.values(), key=lambda item: item[0])
    assert observer.qparams()[0] == best[1][0]
    assert bound / 7 > best[1][0][0]


def test_constant_and_tiny_batches():
    for method in ("min_max", "moving_average", "histogram", "mse"):
        observer = activation(method)
        observer(torch.zeros(3))
        assert observer.qparams() == (1.0, -128)
        observer = activation(method)
        observer(torch.full((3,), 255.0))
        scale, zero = observer.qparams()
        assert (float(scale[0]), int(zero[0])) == (1.0, -128)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_not_finite(bad):
    x = torch.tensor([[1.0, bad]])
    with pytest.raises(InputError, match=r"^conv: calibration reached a NaN or an infinity"):
        activation()(x)


def test_never_observed():
    with pytest.raises(InputError, match="never reached"):
        activation().qparams()
