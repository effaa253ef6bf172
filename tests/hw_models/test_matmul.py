"""Matrix products and linear layers: shapes as NumPy's, sums as the reference's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.formats import OVERFLOWS, Accumulator
from hw_models.ledger import Ledger
from hw_models.linear import linear, linear_plan
from hw_models.linear import reference as linear_reference
from hw_models.matmul import matmul, reference

SHAPES = [
    ((3, 4), (4, 5)),
    ((4,), (4,)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((2, 3, 4), (4, 5)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 4, 5)),
    ((2, 1, 3, 4), (6, 4, 5)),
    ((2, 3, 4), (1, 4, 2)),
    ((1, 3, 4), (5, 4, 2)),
    ((0, 4), (4, 5)),
    ((3, 4), (4, 0)),
    ((3, 0), (0, 5)),
    ((0, 3, 4), (0, 4, 5)),
    ((0, 3, 4), (4, 5)),
    ((2, 3, 0), (2, 0, 5)),
]


def _draw(seed, shape, dtype):
    info = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    low, high = max(int(info.min), -(1 << 31)), min(int(info.max), (1 << 32) - 1)
    return rng.integers(low, high, shape, np.int64, endpoint=True).astype(dtype)


@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize("bits", [32, 48])
def test_shapes_are_numpys(left, right, bits):
    a, b = _draw(0, left, "int8"), _draw(1, right, "uint8")
    ledger = Ledger()
    accumulator = Accumulator(bits)
    acc = matmul(a, b, -3, 7, accumulator=accumulator, ledger=ledger)
    exact = np.matmul(a.astype(np.int64) + 3, b.astype(np.int64) - 7)
    assert acc.shape == exact.shape
    assert acc.dtype == accumulator.dtype
    assert np.array_equal(acc, exact)
    assert np.array_equal(acc, matmul(a, b, -3, 7, accumulator=accumulator))
    assert ledger.elements == exact.size
    values = exact if exact.size else np.zeros(1)
    assert (ledger.minimum, ledger.maximum) == (values.min(), values.max())
    assert ledger.overflows == 0


def _run(function, *args):
    """Return the result, or where (row, column) and with what value the call overflowed."""
    try:
        return function(*args), None
    except AccumulatorOverflowError as error:
        return 0, (error.index[:2], error.value)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 5), st.integers(0, 9), st.integers(1, 5)),
    dtypes=st.tuples(*[st.sampled_from(["int8", "uint8", "int16", "uint32", "int64"])] * 2),
    points=st.tuples(st.integers(-200, 200), st.integers(-200, 200), st.booleans()),
    accumulator=st.builds(
        Accumulator, st.integers(2, 64), st.sampled_from(OVERFLOWS), st.sampled_from(["mac", "sum"])
    ),
)
def test_random(seed, sizes, dtypes, points, accumulator):
    rows, inner, columns = sizes
    a, b = _draw(seed, (rows, inner), dtypes[0]), _draw(seed + 1, (inner, columns), dtypes[1])
    zb = np.arange(columns) * 3 - points[1] if points[2] else points[1]
    expected_ledger, ledger = Ledger(), Ledger()
    options = (points[0], zb, accumulator)
    expected, overflow = _run(reference, a, b, *options, expected_ledger)
    for book in (ledger, None):
        actual, found = _run(matmul, a, b, *options, book)
        assert found == overflow
        assert np.array_equal(actual, expected)
    if overflow is not None:
        return
    first = expected_ledger.first and expected_ledger.first[:2]
    assert (ledger.minimum, ledger.maximum, ledger.overflows, ledger.first) == (
        expected_ledger.minimum, expected_ledger.maximum, expected_ledger.overflows, first,
    )  # fmt: skip


@pytest.mark.parametrize("accumulator", [
    Accumulator(32), Accumulator(16, "wrap", "mac"), Accumulator(14, "saturate", "mac"),
    Accumulator(15, "saturate_symmetric", "sum"), Accumulator(64, "error"),
])  # fmt: skip
@pytest.mark.parametrize(
    ("left", "right"), [s for s in SHAPES if len(s[0]) > 2 and len(s[1]) > 2 and 0 not in s[0]]
)
def test_batches_are_their_matrices(left, right, accumulator):
    """Zero points on both sides, b's one per column; every matrix is the reference's."""
    a, b = _draw(8, left, "uint8"), _draw(9, right, "int8")
    points = np.arange(right[-1]) * 50 - 120
    ledger = Ledger()
    acc = matmul(a, b, 131, points, accumulator, ledger)
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    assert acc.shape == (*batch, left[-2], right[-1])
    left_all, right_all = (np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
    parts = []
    for index in np.ndindex(*batch):
        part = Ledger()
        expected = reference(left_all[index], right_all[index], 131, points, accumulator, part)
        assert np.array_equal(acc[index], expected)
        parts.append(part)
    assert ledger.overflows == sum(part.overflows for part in parts)
    assert ledger.minimum == min(part.minimum for part in parts)
    assert ledger.maximum == max(part.maximum for part in parts)


def test_transposed_and_strided_operands():
    a, b = _draw(2, (6, 4), "int8"), _draw(3, (5, 6), "int8")
    exact = a.T.astype(np.int64)[::-1] @ b.T.astype(np.int64)
    assert np.array_equal(matmul(a.T[::-1], b.T), exact)


def test_ledger_and_error_index_the_result():
    a = np.ones((2, 3, 4), np.int8)
    b = np.ones((2, 4, 5), np.int8)
    a[1, 2] = 100
    for left, right, index in (
        (a, b, (1, 2, 0)),
        (a, b[0], (1, 2, 0)),
        (a, b[0, :, 0], (1, 2)),
        (a[1, 2], b, (0, 0)),
        (a[1, 2], b[0], (0,)),
        (a[1, 2], b[0, :, 0], ()),
    ):
        ledger = Ledger()
        matmul(left, right, accumulator=Accumulator(9, "saturate"), ledger=ledger)
        assert ledger.first == index
        assert ledger.maximum == 400
        with pytest.raises(AccumulatorOverflowError, match=r"matmul .* 400 at index") as caught:
            matmul(left, right, accumulator=Accumulator(9, "error"))
        assert (caught.value.index, caught.value.value) == (index, 400)


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ((3, 4), (5, 6), "a's last dimension must equal b's second to last"),
        ((4,), (5,), "a's last dimension must equal b's only"),
        (
            (2, 3, 4),
            (3, 4, 5),
            r"batch dimensions of a and b must broadcast, not \(2,\) with \(3,\)",
        ),
        ((), (4,), "a must have at least one dimension"),
        ((4,), (), "b must have at least one dimension"),
    ],
)
def test_refused_shapes(left, right, message):
    with pytest.raises(ContractError, match=message):
        matmul(np.zeros(left, np.int8), np.zeros(right, np.int8))


def test_refused_values():
    a = np.zeros((2, 2), np.int8)
    with pytest.raises(ContractError, match="b must have an integer dtype"):
        matmul(a, a * 1.0)
    with pytest.raises(ContractError, match="b_zero_point must be a scalar or one per output"):
        matmul(a, a, b_zero_point=[1, 2, 3])
    with pytest.raises(ContractError, match="a_zero_point must be an integer"):
        matmul(a, a, a_zero_point=1 << 40)


@pytest.mark.parametrize("lead", [(), (3,), (2, 3), (0,), (2, 0, 3)])
def test_linear_keeps_leading_dimensions(lead):
    x, w = _draw(4, (*lead, 7), "uint8"), _draw(5, (6, 7), "int8")
    points = np.arange(6)
    acc = linear(x, w, 128, points)
    exact = (x.astype(np.int64) - 128) @ (w.astype(np.int64) - points[:, None]).T
    assert acc.shape == (*lead, 6)
    assert np.array_equal(acc, exact)
    assert np.array_equal(linear_plan(w, 128, points)(x), exact)


@pytest.mark.parametrize("overflow", ["wrap", "saturate", "saturate_symmetric"])
@pytest.mark.parametrize("at", ["mac", "sum"])
def test_linear_is_its_reference(overflow, at):
    x, w = _draw(6, (4, 30), "int8"), _draw(7, (5, 30), "int8")
    for bits in (8, 14, 20):
        accumulator = Accumulator(bits, overflow, at)
        expected_ledger, ledger = Ledger(), Ledger()
        expected = linear_reference(x, w, 3, -2, accumulator, expected_ledger)
        assert np.array_equal(linear(x, w, 3, -2, accumulator, ledger), expected)
        first = expected_ledger.first and expected_ledger.first[:2]
        assert (ledger.overflows, ledger.first) == (expected_ledger.overflows, first)
        assert (ledger.minimum, ledger.maximum) == (
            expected_ledger.minimum, expected_ledger.maximum,
        )  # fmt: skip


def test_linear_refuses():
    w = np.zeros((3, 4), np.int8)
    with pytest.raises(ContractError, match="last dimension of 4"):
        linear(np.zeros((2, 5), np.int8), w)
    with pytest.raises(ContractError, match=r"weight must have shape \[O, K\]"):
        linear(np.zeros((2, 4), np.int8), w[0])
    with pytest.raises(AccumulatorOverflowError, match="linear") as caught:
        linear(np.ones((2, 2, 4), np.int8), w + 100, accumulator=Accumulator(9, "error"))
    assert (caught.value.index, caught.value.value) == ((0, 0, 0), 400)
