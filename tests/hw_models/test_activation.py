"""Clamp, relu and relu6 on codes."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.activation import clamp, reference, relu, relu6
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger

DTYPES = [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("low", [-(1 << 40), -128, -3, 0, 5])
@pytest.mark.parametrize("high", [5, 127, 255, 1 << 40])
def test_clamp_against_the_definition(dtype, low, high):
    info = np.iinfo(dtype)
    near = {v + d for v in (low, high, 0, info.min, info.max) for d in (-1, 0, 1)}
    values = sorted(v for v in near if info.min <= v <= info.max)
    ledger = Ledger()
    y = clamp(np.array(values, dtype), low, high, ledger)
    # A bound that the container cannot hold is as good as the container's end.
    ends = (min(max(v, info.min), info.max) for v in (low, high))
    expected = [reference(v, *ends2) for ends2 in [tuple(ends)] for v in values]
    assert y.tolist() == expected
    assert y.dtype == dtype
    changed = [a != b for a, b in zip(values, expected, strict=True)]
    assert ledger.clamped == sum(changed)
    assert ledger.first == ((changed.index(True),) if any(changed) else None)
    assert (ledger.minimum, ledger.maximum) == (values[0], values[-1])


def test_relu_family_and_layout():
    x = np.arange(-128, 128, dtype=np.int8).reshape(4, 8, 8).transpose(0, 2, 1)
    assert relu(x, -5).min() == -5
    assert relu(x, -5).max() == 127
    assert relu(x).strides == x.strides
    six = relu6(x, 0.1, -10)
    assert (six.min(), six.max()) == (-10, 50)
    assert relu6(x, 0.01, 0).max() == 127  # 6 / 0.01 does not fit: relu
    assert relu6(x, 1.0, 0, FixedFormat(3)).max() == 3
    np.testing.assert_array_equal(relu(x[:, ::-2]), np.maximum(x[:, ::-2], 0))
    assert clamp(np.empty((0, 2), np.int8), 0, 1, Ledger()).shape == (0, 2)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: clamp(np.ones(2), 0, 1), "integer array"),
        (lambda: clamp(np.ones(2, int), 2, 1), "low must not exceed high"),
        (lambda: clamp(np.ones(2, int), 0.5, 1), "low must be an integer"),
        (lambda: relu6(np.ones(2, int), -0.1), "positive"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ContractError, match=match):
        call()
