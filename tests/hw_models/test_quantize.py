"""Quantize: the float formulas, reference = kernel, and torch's own operator."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.quantize import FORMULAS, quantize, reference


def floats(seed, shape, scale):
    """Random values, exact ties of both signs and their neighbours, extremes and infinities."""
    rng = np.random.default_rng(seed)
    x = (rng.normal(0, 60, shape) * scale).astype(np.float32)
    flat = x.reshape(-1)
    half = (rng.integers(-140, 140, flat.size) + 0.5) * np.float32(scale)
    pick = rng.integers(0, 6, flat.size)
    flat[pick == 0] = half[pick == 0].astype(np.float32)
    flat[pick == 1] = np.nextafter(half[pick == 1].astype(np.float32), np.float32(np.inf))
    flat[:6] = [np.inf, -np.inf, 3.4e38, -3.4e38, -0.0, 1e-45]
    return x


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from(FORMULAS),
    st.sampled_from([0.1, 0.25, 1 / 3, 2.0**-7, 1e-12, 1e20]),
    st.sampled_from([0, 3, -128, 255]),
    st.sampled_from([(1, True), (8, True), (8, False), (16, True), (32, True), (32, False)]),
)
def test_per_tensor_against_the_definition(seed, formula, scale, zero, form):
    x, output, ledger = floats(seed, (3, 4, 5), scale), FixedFormat(*form), Ledger()
    y = quantize(x, scale, zero, output, formula)
    expected = [reference(float(v), scale, zero, output, formula) for v in x.reshape(-1)]
    assert y.reshape(-1).tolist() == expected
    assert y.dtype == output.dtype
    np.testing.assert_array_equal(quantize(x, scale, zero, output, formula, ledger=ledger), y)
    assert ledger.clamped >= 2  # both infinities
    assert ledger.first == (0, 0, 0)


@pytest.mark.parametrize("formula", FORMULAS)
def test_per_axis_and_blocked(formula):
    x = floats(5, (4, 6, 5), 0.1).transpose(0, 2, 1)
    scales, zeros = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([1, 2, 3, 4, 5])
    y = quantize(x, scales, zeros, axis=1, formula=formula)
    blocks = np.linspace(0.1, 0.9, 4 * 3 * 6).reshape(4, 3, 6)
    z = quantize(x, blocks, 2, axis=1, block=2, formula=formula)
    assert y.strides == tuple(s // 4 for s in x.strides)
    for i, j, k in np.ndindex(x.shape):
        v = float(x[i, j, k])
        assert y[i, j, k] == reference(v, scales[j], int(zeros[j]), FixedFormat(8), formula)
        assert z[i, j, k] == reference(v, blocks[i, j // 2, k], 2, FixedFormat(8), formula)


def test_the_formulas_differ_where_they_should():
    # Products with a rounded reciprocal and quotients part at some of the float32 ties.
    scale, wide = 0.7, FixedFormat(24)
    x = np.linspace(1, 2e4, 50000).astype(np.float32)
    ties = ((np.arange(50000) + 0.5) * np.float32(scale)).astype(np.float32)
    assert (quantize(ties, scale, 0, wide, "torch") != quantize(ties, scale, 0, wide, "onnx")).any()
    # Where the quotient is an exact tie, TFLite goes away from zero.
    x8 = np.array([0.5, 1.5, 2.5, -0.5, -2.5, 0.49999997, 8388607.5], np.float32)
    assert quantize(x8, 1.0, 3, wide, "tflite").tolist() == [4, 5, 6, 2, 0, 3, 8388607]
    assert quantize(x8, 1.0, 3, wide, "onnx").tolist() == [3, 5, 5, 3, 1, 3, 8388607]
    # A float64 scale whose float32 value is a neighbour's: the reciprocals differ.
    double = 0.10000000483
    by_torch, by_executorch = (quantize(x, double, 0, wide, f) for f in ("torch", "executorch"))
    assert np.float32(1 / double) != np.float32(1) / np.float32(double)
    assert (by_torch != by_executorch).any()


@pytest.mark.parametrize("scale", [0.5, 0.0, math.inf, math.nan])
def test_what_goes_on_follows_the_definition(scale):
    x = np.array([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.25, -300.0, 1e-45], np.float32)
    form, ledger = FixedFormat(8, signed=False), Ledger()
    y = quantize(x, scale, 7, form, "onnx", non_finite="propagate", ledger=ledger)
    expected = [reference(float(v), scale, 7, form, "onnx", "propagate") for v in x]
    assert y.tolist() == expected
    assert y[0] == 0
    usual = np.isfinite(x) & (scale == 0.5)
    assert (y[usual] == (quantize(x[usual], 0.5, 7, form, "onnx") if usual.any() else 0)).all()


def test_a_zero_point_before_the_rounding_makes_ties_of_others():
    x = np.array([0.5, 1.5, -0.5], np.float32)
    assert quantize(x, 1.0, 1, formula="torch").tolist() == [1, 3, 1]
    for formula in ("fbgemm", "torch-per-token", "torch-per-group"):
        assert quantize(x, 1.0, 1, formula=formula).tolist() == [2, 2, 0]
    # A sum in float32 forgets what is above the half; one in float64 does not.
    above, wide = np.array([0.5000001], np.float32), FixedFormat(16)
    made = [quantize(above, 1.0, 128, wide, f)[0] for f in ("fbgemm", "torch-per-token", "torch")]
    assert made == [128, 129, 129]


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_are_rounded_to_float32(dtype):
    x = np.array([0.1, 2.5, -3.3, 1e4], dtype)
    np.testing.assert_array_equal(quantize(x, 0.1), quantize(x.astype(np.float32), 0.1))


def test_torch_formula_is_torch():
    torch = pytest.importorskip("torch")
    importlib.import_module("torch.ao.quantization.fx._decomposed")  # registers the operators

    for seed, scale in enumerate([0.1, 1 / 3, 2.0**-7, 0.0478]):
        x = floats(seed, (500,), scale)
        op = torch.ops.quantized_decomposed.quantize_per_tensor
        theirs = op(torch.from_numpy(x), scale, 3, -128, 127, torch.int8).numpy()
        np.testing.assert_array_equal(quantize(x, scale, 3), theirs)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: quantize(np.array([[0.0, math.nan]]), 0.1), r"NaN.*index \(0, 1\)"),
        (lambda: quantize(np.array([1]), 0.1), "float array, not int64"),
        (lambda: quantize(np.ones(2), 0.0), "scale must be positive"),
        (lambda: quantize(np.ones(2), 1e-40), "reciprocal"),
        (lambda: quantize(np.ones(2), 0.1, 0.5), "zero_point integers"),
        (lambda: quantize(np.ones(2), 0.1, formula="c"), "executorch"),
        (lambda: quantize(np.ones((2, 2)), [0.1, 0.2]), "with axis=None"),
        (lambda: quantize(np.ones((2, 2)), [0.1, 0.2, 0.3], axis=1), "3 for 2 channels"),
        (lambda: quantize(np.ones((2, 2)), [0.1], axis=1, block=2), "must have shape"),
        (lambda: quantize(np.ones((2, 2)), 0.1, block=2), "block needs an axis"),
        (lambda: quantize(np.ones(2), 0.1, non_finite="propagate"), "'onnx' alone"),
        (
            lambda: quantize(np.ones(2), -0.1, formula="onnx", non_finite="propagate"),
            "scale must be positive",
        ),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ContractError, match=match):
        call()


def test_empty():
    assert quantize(np.ones((0, 3), np.float32), [0.1, 0.2, 0.3], axis=1).shape == (0, 3)
