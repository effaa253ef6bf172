"""Embedding: rows against the definition, any shape and layout, float32, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models as hw
from hw_models.embedding import reference

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int64, np.uint64, np.float32])
@pytest.mark.parametrize("shape", [(), (5,), (0,), (2, 3), (1, 2, 3)])
def test_rows_are_those_of_the_definition(dtype, shape):
    table = RNG.integers(0, 100, (9, 4)).astype(dtype)
    for made in (table, np.asfortranarray(table), np.repeat(table, 2, 1)[:, ::2]):
        for kind in (np.int64, np.uint8, np.int32, np.uint64):
            where = RNG.integers(0, 9, shape).astype(kind)
            ledger = hw.Ledger()
            y = hw.embedding(made, where, ledger)
            rows = reference(made.tolist(), where.ravel().tolist())
            np.testing.assert_array_equal(y, np.array(rows, dtype).reshape(*shape, 4))
            assert (y.dtype, ledger.elements, ledger.clamped) == (dtype, y.size, 0)
            ends = (y.min(), y.max()) if y.size else (0, 0)
            assert (ledger.minimum, ledger.maximum) == ends
            assert not np.shares_memory(y, table)


def test_first_and_last_rows_rows_of_several_dimensions_and_of_none():
    table = np.arange(12, dtype=np.int8).reshape(3, 2, 2)
    assert hw.embedding(table, np.array([2, 0])).tolist() == [table[2].tolist(), table[0].tolist()]
    assert hw.embedding(np.array([7, 8], np.int8), np.array([1])).tolist() == [8]


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (9, r"not 9 at index \(1, 0\) \(accepted: 0\.\.8\)"),
        (-1, r"not -1 at index \(1, 0\) \(accepted: 0\.\.8\)"),
        (1 << 40, r"not 1099511627776 at index \(1, 0\)"),
    ],
)
def test_an_index_outside_is_named(value, match):
    indices = np.array([[0, 8], [value, -7]])
    with pytest.raises(hw.IndexRangeError, match=match) as error:
        hw.embedding(np.zeros((9, 2), np.int8), indices)
    assert (error.value.index, error.value.value) == ((1, 0), value)
    with pytest.raises(hw.IndexRangeError, match="none: the table is empty"):
        hw.embedding(np.zeros((0, 2), np.int8), np.array([0]))
    with pytest.raises(hw.ContractError, match="table must have rows"):
        hw.embedding(np.array(1), np.array([0]))
    for wrong in (np.array([0.0]), np.array([True])):
        with pytest.raises(hw.ContractError, match="integer"):
            hw.embedding(np.zeros((9, 2), np.int8), wrong)
