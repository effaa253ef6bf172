"""Argmax: the first of equal maxima, along every axis, of every type."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.argmax import argmax, reference
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_every_axis_with_many_ties(dtype, axis):
    x = np.random.default_rng(axis + 3).integers(0, 4, (5, 6, 7)).astype(dtype)
    x[0] = np.iinfo(dtype).max
    x[-1] = np.iinfo(dtype).min
    for view in (x, x.transpose(2, 0, 1), x[::-1, ::2]):
        moved = np.moveaxis(view, axis, -1)
        expected = [reference(line.tolist()) for line in moved.reshape(-1, moved.shape[-1])]
        y = argmax(view, axis)
        assert y.dtype == np.int32
        assert y.shape == moved.shape[:-1]
        assert y.reshape(-1).tolist() == expected
        flipped = [
            reference(line.tolist(), last=True) for line in moved.reshape(-1, moved.shape[-1])
        ]
        last = argmax(view, axis, last=True)
        assert last.reshape(-1).tolist() == flipped
        assert (last >= y).all()
        kept = argmax(view, axis, keepdims=True)
        np.testing.assert_array_equal(np.squeeze(kept, axis), y)


def test_the_last_of_equal_maxima():
    x = np.array([[3, 7, 7, -1], [5, 5, 5, 5], [-128, -128, -127, -127]], np.int8)
    assert argmax(x, last=True).tolist() == [2, 3, 3]
    assert argmax(x, last=True, keepdims=True).shape == (3, 1)
    assert [reference(row.tolist(), last=True) for row in x] == [2, 3, 3]


def test_the_first_of_equal_maxima():
    assert argmax(np.array([3, 7, 7, -1, 7], np.int8)).tolist() == 1
    assert argmax(np.array([[5, 5], [5, 6]]), 0).tolist() == [0, 1]
    assert argmax(np.array([-128, -128], np.int8)).tolist() == 0
    assert reference([2, 9, 9]) == 1


def test_output_ledger_and_empty():
    x = np.eye(256, dtype=np.uint8)
    ledger = Ledger()
    y = argmax(x, output=FixedFormat(8, signed=False), ledger=ledger)
    assert y.dtype == np.uint8
    assert y.tolist() == list(range(256))
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (256, 0, 255)
    assert argmax(x, output=FixedFormat(64)).dtype == np.int64
    assert argmax(np.empty((0, 3), np.int8), ledger=ledger).shape == (0,)
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (0, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"axis": 2}, r"axis.*-2\.\.1"),
        ({"axis": None}, "axis"),
        ({"x": np.zeros((2, 0), int)}, r"elements to choose from.*\(2, 0\)"),
        ({"x": np.zeros(2)}, "x must be an integer"),
        ({"x": np.zeros((1, 129), int), "output": FixedFormat(8)}, "last position, 128"),
        ({"output": 32}, "FixedFormat"),
        ({"keepdims": 1}, "keepdims"),
        ({"last": 0}, "last"),
        ({"x": np.array(3)}, "axis"),
        ({"ledger": 1}, "Ledger"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ContractError, match=match):
        argmax(**{"x": np.zeros((2, 3), np.int8)} | arguments)
