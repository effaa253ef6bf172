"""Strided slice: every step against the definition, layouts, NumPy, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.ledger import Ledger
from hw_models.moves.strided_slice import reference, strided_slice


def by_lines(x, starts, steps, sizes):
    """Read one dimension after the other."""
    for axis, (start, step, size) in enumerate(zip(starts, steps, sizes, strict=True)):
        moved = np.moveaxis(x, axis, -1)
        lines = [reference(v.tolist(), start, step, size)
                 for v in moved.reshape(-1, moved.shape[-1])]  # fmt: skip
        x = np.moveaxis(np.array(lines, x.dtype).reshape(*moved.shape[:-1], size), -1, axis)
    return x


def windows():
    """Give (length, start, step, size) of which every position lies inside."""

    def window(values):
        length, start, step, size = values
        start %= length
        room = (length - 1 - start) // step if step > 0 else start // -step if step else 9
        return length, start, step, min(size, room + 1)

    numbers = (st.integers(1, 5), st.integers(0, 4), st.integers(-3, 3), st.integers(0, 5))
    return st.tuples(*numbers).map(window)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    st.lists(windows(), max_size=4),
    st.sampled_from([np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64]),
    st.sampled_from(["c", "f", "strided"]),
)
def test_random_against_the_definition(dims, dtype, layout):
    shape, starts, steps, sizes = ([dim[at] for dim in dims] for at in range(4))
    info = np.iinfo(dtype)
    x = np.random.default_rng(len(dims)).integers(info.min, info.max, shape, dtype, endpoint=True)
    x = np.asfortranarray(x) if layout == "f" and dims else x
    x = x[..., ::-1] if layout == "strided" and dims else x
    ledger = Ledger()
    y = strided_slice(x, starts, steps, sizes, ledger)
    np.testing.assert_array_equal(y, by_lines(x, starts, steps, sizes))
    assert y.dtype == dtype
    assert y.shape == tuple(sizes)
    ends = (int(y.min()), int(y.max())) if y.size else (0, 0)
    assert (ledger.minimum, ledger.maximum) == ends
    assert (ledger.elements, ledger.clamped, ledger.first) == (y.size, 0, None)


def test_one_line_of_each_step():
    x = np.array([1, 2, 3, 4, 5], np.int8)
    assert strided_slice(x, [1], [1], [3]).tolist() == [2, 3, 4]
    assert strided_slice(x, [0], [2], [3]).tolist() == [1, 3, 5]
    assert strided_slice(x, [4], [-2], [3]).tolist() == [5, 3, 1]
    assert strided_slice(x, [4], [-1], [5]).tolist() == [5, 4, 3, 2, 1]
    assert strided_slice(x, [2], [0], [3]).tolist() == [3, 3, 3]
    assert strided_slice(x, [3], [9], [1]).tolist() == [4]
    assert strided_slice(x, [9], [9], [0]).tolist() == []


def test_memory_order_copies_and_empty():
    x = np.arange(120, dtype=np.int8).reshape(2, 3, 4, 5).transpose(0, 3, 1, 2)  # channels last
    x.setflags(write=False)
    y = strided_slice(x, [0, 1, 0, 0], [1, 1, 1, 1], [2, 3, 2, 4])
    assert np.argsort(y.strides).tolist() == np.argsort(x.strides).tolist()
    assert y.flags.writeable
    assert not np.shares_memory(x, y)
    repeated = strided_slice(np.array([[7]], np.int8), [0, 0], [0, 0], [2, 3])
    repeated[0, 0] = 1
    assert repeated.tolist() == [[1, 7, 7], [7, 7, 7]]
    assert strided_slice(np.empty((0, 2), np.int8), [0, 1], [1, -1], [0, 2]).shape == (0, 2)
    assert strided_slice(np.array(5, np.int8), [], [], []).tolist() == 5


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"starts": [0]}, r"starts must have one integer per dimension.*\(accepted: 2 integers"),
        ({"steps": [1, 1.0]}, "steps must have one integer"),
        ({"sizes": "ab"}, "sizes must have one integer"),
        ({"steps": [True, 1]}, "steps must have one integer"),
        ({"starts": [0, -1]}, r"not read position -1 of dimension 1 \(accepted: 0\.\.2\)"),
        ({"starts": [0, 2]}, r"position 3 of dimension 1 \(accepted: 0\.\.2\)"),
        ({"steps": [-1, 1]}, "position -1 of dimension 0"),
        ({"steps": [1, 1 << 31]}, r"steps must be below 2\*\*31"),
        ({"sizes": [-1, 2]}, "sizes must be 0 or more"),
        ({"steps": [0, 0], "sizes": [1 << 16, 1 << 15]}, r"product below 2\*\*31"),
        ({"x": np.zeros((2, 3))}, "x must be an integer"),
        ({"ledger": 1}, "Ledger"),
    ],
)
def test_refusals(arguments, match):
    good = {"starts": [0, 1], "steps": [1, 1], "sizes": [2, 2]}
    with pytest.raises(ContractError, match=match):
        strided_slice(**{"x": np.zeros((2, 3), np.int8)} | good | arguments)
