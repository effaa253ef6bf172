"""Gather: positions along every axis against the definition, layouts, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.ledger import Ledger
from hw_models.moves.gather import gather, reference


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(-4, 3),
    st.lists(st.integers(0, 11), max_size=7),
    st.sampled_from([np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64]),
    st.sampled_from(["c", "f", "strided"]),
)
def test_random_against_the_definition(shape, axis, indices, dtype, layout):
    axis = axis % len(shape) - (len(shape) if axis < 0 else 0)
    where = np.array([index % shape[axis] for index in indices], np.int16)
    info = np.iinfo(dtype)
    x = np.random.default_rng(len(shape)).integers(info.min, info.max, shape, dtype, endpoint=True)
    x = np.asfortranarray(x) if layout == "f" else x
    x = x[..., ::-1] if layout == "strided" else x
    ledger = Ledger()
    y = gather(x, where, axis, ledger)
    moved = np.moveaxis(x, axis, -1)
    lines = [reference(v.tolist(), where.tolist()) for v in moved.reshape(-1, moved.shape[-1])]
    wanted = np.array(lines, dtype).reshape(*moved.shape[:-1], len(where))
    np.testing.assert_array_equal(y, np.moveaxis(wanted, -1, axis))
    assert y.dtype == dtype
    ends = (int(y.min()), int(y.max())) if y.size else (0, 0)
    assert (ledger.minimum, ledger.maximum) == ends
    assert (ledger.elements, ledger.clamped, ledger.first) == (y.size, 0, None)


def test_often_never_and_none():
    x = np.array([[1, 2, 3], [4, 5, 6]], np.int8)
    assert gather(x, np.array([2, 0, 0])).tolist() == [[3, 1, 1], [6, 4, 4]]
    assert gather(x, [1], 0).tolist() == [[4, 5, 6]]
    assert gather(x, np.array([], np.int64)).shape == (2, 0)
    assert gather(x, []).shape == (2, 0)
    assert gather(np.empty((0, 3), np.int8), np.array([2, 2])).shape == (0, 2)
    y = gather(x, np.array([0, 1, 2], np.uint64))
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"indices": np.array([0, 3])}, r"not 3 at index 1 \(accepted: 0\.\.2\)"),
        ({"indices": np.array([-1])}, r"not -1 at index 0 \(accepted: 0\.\.2\)"),
        ({"indices": np.array([1 << 63], np.uint64)}, "not 9223372036854775808 at index 0"),
        ({"indices": np.array([0.0])}, "integers in one dimension"),
        ({"indices": np.array([True])}, "integers in one dimension"),
        ({"indices": np.array([[0]])}, "integers in one dimension"),
        (
            {"indices": np.array([0]), "x": np.empty((2, 0), np.int8)},
            "none: the dimension is empty",
        ),
        ({"axis": 2}, "axis"),
        ({"axis": 1.0}, "axis"),
        ({"x": np.array(3, np.int8)}, "axis"),
        ({"x": np.zeros((2, 3))}, "x must be an integer"),
        ({"ledger": 1}, "Ledger"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ContractError, match=match):
        gather(**{"x": np.zeros((2, 3), np.int8), "indices": np.array([0, 2])} | arguments)
