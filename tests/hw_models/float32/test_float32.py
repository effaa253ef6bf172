"""Operators on float32 values: the definitions, their corners, the same bits from the kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hw_models as hw
from hw_models.float32 import layer_norm, matmul, softmax
from hw_models.float32.functions import FUNCTIONS, REFERENCES
from hw_models.float32.steps import f32, fused

Array = np.ndarray
TINY, LARGEST = 2.0**-149, float(np.finfo(np.float32).max)
EDGES = [0.0, TINY, 2.0**-126, 2.0**-13, 2.0**-12, math.nextafter(2.0**-12, 1), 0.5, 1.0, 9.0, 9.02,
         13.2, 14.0, 50.0, 87.3, 88.72, 88.73, 100.0, 103.9, 104.1, LARGEST, math.inf]  # fmt: skip


def bits(values: object) -> Array:
    return np.asarray(values, np.float32).view(np.int32)


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * 3


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_equal_their_definitions(function: str) -> None:
    edges = np.array([*EDGES, *(-x for x in EDGES), math.nan], np.float32)
    x = np.concatenate([edges, drawn(300), np.exp(drawn(100))])
    with np.errstate(all="ignore"):
        wanted = [REFERENCES[function](v) for v in x.tolist()]
        made = hw.float_function(x, function)
        laid = hw.float_function(np.stack([x, x])[:, ::-1].T, function)
    nan = np.isnan(np.array(wanted))
    assert np.array_equal(np.isnan(made), nan)
    assert np.array_equal(bits(made)[~nan], bits(wanted)[~nan])
    assert np.array_equal(bits(laid[::-1, 1])[~nan], bits(made)[~nan])


def test_functions_are_near_what_they_stand_for() -> None:
    x = np.linspace(-20, 20, 4001, dtype=np.float32)
    wide = x.astype(np.float64)
    erf = np.array([math.erf(v) for v in wide])
    gelu = wide * (1 + np.array([math.erf(v / math.sqrt(2)) for v in wide])) / 2
    powers = hw.float_function(x, "exp") / np.exp(wide) - 1
    assert np.abs(powers).max() < 2.0**-23
    assert np.abs(hw.float_function(x, "erf") - erf).max() < 6e-7
    assert np.abs(hw.float_function(x, "gelu") - gelu).max() < 5e-7
    assert np.array_equal(hw.float_function(x, "tanh"), np.tanh(wide).astype(np.float32))
    assert np.array_equal(hw.float_function(x, "relu"), np.maximum(x, 0))


def test_steps_round_once() -> None:
    """The exact product is 1 - 2**-46: its sum with -1 is lost by two roundings."""
    a, b = 1 + 2.0**-23, 1 - 2.0**-23
    assert fused(a, b, -1.0) == -(2.0**-46)
    assert f32(f32(a * b) - 1.0) == 0
    assert math.copysign(1, fused(-1.0, 0.0, -0.0)) == -1
    one = np.array([[a]], np.float32)
    other = np.array([[b], [-1.0]], np.float32)
    row = np.concatenate([one, np.ones_like(one)], axis=1)
    # -1 comes second: the first product is rounded into the sum before it.
    assert hw.float_matmul(row[:, ::-1], other[::-1], fused=True)[0, 0] == -(2.0**-46)
    assert hw.float_matmul(row[:, ::-1], other[::-1], fused=False)[0, 0] == 0


@pytest.mark.parametrize("size", [1, 3, 15, 16, 17, 33, 100, 128])
@pytest.mark.parametrize("lanes", [1, 8, 16])
def test_softmax(size: int, lanes: int) -> None:
    x = drawn(4, size)
    x[1] *= 30  # most powers are 0
    x[2] = -0.5
    if size > 2:
        x[3, 1:] = -np.inf
    made = hw.float_softmax(x, lanes)
    wanted = [softmax.reference(row, lanes) for row in x.tolist()]
    assert np.array_equal(bits(made), bits(wanted))
    wide = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    assert np.abs(made - wide / wide.sum(axis=1, keepdims=True)).max() < 1e-6


def test_softmax_of_no_number() -> None:
    x = np.array([[np.nan, 1, 2], [-np.inf] * 3, [np.inf, 0, 1]], np.float32)
    assert np.isnan(hw.float_softmax(x)[:2]).all()
    assert np.isnan(hw.float_softmax(x)[2, 0])


@pytest.mark.parametrize("size", [1, 7, 8, 31, 130, 257, 8 * 16 * 5 + 3])
@pytest.mark.parametrize("lanes", [1, 8])
def test_layer_norm(size: int, lanes: int) -> None:
    """Blocks of 16 join in pairs: 5 blocks leave two levels of the counter, 3 values no lane."""
    x, weight, bias = drawn(3, size), drawn(size, seed=1), drawn(size, seed=2)
    x[1] = 0.75
    for tables in ((weight, bias), (weight, None), (None, None)):
        made = hw.float_layer_norm(x, *tables, eps=1e-5, lanes=lanes)
        given = [None if t is None else t.tolist() for t in tables]
        wanted = [layer_norm.reference(row, *given, f32(1e-5), lanes) for row in x.tolist()]
        assert np.array_equal(bits(made), bits(wanted))
    wide = x.astype(np.float64)
    z = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5)
    assert np.abs(made - z).max() < 2e-5
    whole = hw.float_layer_norm(x.reshape(3, 1, size), None, None, dims=2, lanes=lanes)
    assert np.array_equal(bits(whole.reshape(3, size)), bits(made))


@pytest.mark.parametrize("fused_steps", [True, False])
def test_matmul(fused_steps: bool) -> None:
    a, b = drawn(2, 1, 3, 9), drawn(4, 9, 20, seed=1)
    made = hw.float_matmul(a, b.transpose(0, 2, 1).copy().transpose(0, 2, 1), fused=fused_steps)
    for index in np.ndindex(*made.shape):
        i, p, m, n = index
        row, column = a[i, 0, m].tolist(), b[p, :, n].tolist()
        wanted = matmul.reference(row, column, fused=fused_steps)
        assert float(made[index]) == wanted
    assert hw.float_matmul(a[..., :0], b[:, :0]).tolist() == np.zeros(made.shape).tolist()


def test_sums_and_products_are_those_of_the_standard() -> None:
    x = np.array([0.1, -0.0, LARGEST, TINY, np.inf], np.float32)
    assert bits(hw.float_add(x, -x)).tolist()[:4] == [0, 0, 0, 0]
    assert math.copysign(1, hw.float_add(x[1:2], x[1:2])[0]) == -1
    assert hw.float_mul(x[2:3], x[2:3])[0] == np.inf
    assert hw.float_mul(x[3:4], np.float32([0.5]))[0] == 0  # halves go to the even number
    assert hw.float_mul(x[3:4], np.float32([1.5]))[0] == 2 * TINY


def test_products_of_codes_with_zero_points_of_run_time() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, shape).astype(np.uint8) for shape in ((2, 3, 9), (2, 9, 4)))
    made = hw.dynamic_matmul(a, b, np.array([[[255]]], np.uint8), np.uint8(7))
    assert np.array_equal(made, (a.astype(np.int64) - 255) @ (b.astype(np.int64) - 7))
    book = hw.Ledger()
    narrow = hw.Accumulator(12, "saturate")
    hw.dynamic_matmul(a, b, np.uint8(0), np.uint8(0), narrow, book)
    assert book.overflows == made.size
