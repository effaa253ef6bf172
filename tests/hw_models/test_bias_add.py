"""Bias add: reference = kernels, every overflow, every layout."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.bias_add import bias_add, reference
from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.formats import OVERFLOWS, Accumulator
from hw_models.ledger import Ledger


def check(x, bias, accumulator, axis=1):
    sums, codes, first = [], [], None
    for index in np.ndindex(x.shape):
        b = int(bias[index[axis]]) if np.ndim(bias) else int(bias)
        sums.append(int(x[index]) + b)
        over = not accumulator.min <= sums[-1] <= accumulator.max
        first = index if over and first is None else first
        if accumulator.overflow != "error" or first is None:
            codes.append(reference(int(x[index]), b, accumulator))
    ledger = Ledger()
    if accumulator.overflow == "error" and first is not None:
        with pytest.raises(AccumulatorOverflowError) as caught:
            bias_add(x, bias, accumulator, axis)
        flat = int(np.ravel_multi_index(first, x.shape))
        assert (caught.value.index, caught.value.value) == (first, sums[flat])
        return
    for y in (bias_add(x, bias, accumulator, axis), bias_add(x, bias, accumulator, axis, ledger)):
        assert y.dtype == accumulator.dtype
        assert y.reshape(-1).tolist() == codes
    overflows = sum(not accumulator.min <= s <= accumulator.max for s in sums)
    assert (ledger.minimum, ledger.maximum) == (min(sums), max(sums))
    assert (ledger.overflows, ledger.first, ledger.elements) == (overflows, first, x.size)


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("bits", [2, 20, 32, 63, 64])
@pytest.mark.parametrize("bias", [0, 1, -1, (1 << 63) - 1, -(1 << 63)])
def test_edges(overflow, bits, bias):
    accumulator = Accumulator(bits, overflow)
    edge = 1 << (bits - 1)
    values = [0, 1, -1, edge - 2, edge - 1, -edge, -edge + 1, (1 << 63) - 1, -(1 << 63)]
    for value in values:
        check(np.array([[value, 0]]), np.int64(bias), accumulator)
    check(np.array([values]), np.int64(bias), accumulator)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from(OVERFLOWS),
    st.sampled_from([8, 20, 32, 40, 64]),
    st.sampled_from(["c", "last", "strided"]),
    st.sampled_from([np.int32, np.int64, np.int8, np.uint32]),
)
def test_random(seed, overflow, bits, layout, dtype):
    rng = random.Random(seed)  # noqa: S311  # test vectors, not secrets
    info = np.iinfo(dtype)
    span = rng.randrange(2, 64)
    draw = [rng.randrange(-(1 << span), 1 << span) for _ in range(24)]
    x = np.array([min(max(v, info.min), info.max) for v in draw], dtype).reshape(2, 3, 4)
    if layout == "last":
        x = np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    x = x[:, :, ::-2] if layout == "strided" else x
    wide = 1 << rng.randrange(1, 63)
    bias = np.array([rng.randrange(-wide, wide) for _ in range(3)])
    check(x, bias, Accumulator(bits, overflow))


def test_axis_memory_order_and_empty():
    x = np.zeros((2, 3, 4), np.int32).transpose(0, 2, 1)
    y = bias_add(x, np.arange(3), axis=-1)
    assert y.strides == x.strides
    assert y[1, 2].tolist() == [0, 1, 2]
    assert bias_add(np.zeros((0, 3), np.int8), np.arange(3), ledger=Ledger()).shape == (0, 3)


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ((np.ones(2), 1), "integer array"),
        ((np.ones((1, 3), int), np.arange(2)), "2 for 3 channels"),
        ((np.ones((1, 3), int), 0.5), "bias must be an integer"),
        ((np.ones((1, 3), int), np.ones((1, 3), int)), "scalar or 1-D"),
        ((np.ones((1, 3), int), np.arange(3), Accumulator(), 2), "axis must name"),
    ],
)
def test_refusals(args, match):
    with pytest.raises(ContractError, match=match):
        bias_add(*args)
