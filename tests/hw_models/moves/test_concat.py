"""Concat: copies and rescaled operands against requantize and the definition; joins; refusals."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.moves.concat import concat, reference
from hw_models.rounding import splitmix64
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo

SCHEMES = [FixedPoint.from_scale(1.7), None, FloatScale(0.3), PowerOfTwo(1, "half_away")]


def operands(shapes, seed=0, dtype=np.int8):
    rng = np.random.default_rng(seed)
    return [rng.integers(-128, 128, shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_copies_are_numpys(axis):
    shapes = [[3, 4, 5], [3, 4, 5], [3, 4, 5], [3, 4, 5]]
    for n, shape in enumerate(shapes):
        shape[axis] = n + 1
    parts = operands(shapes)
    parts[1].setflags(write=False)
    np.testing.assert_array_equal(concat(parts, axis), np.concatenate(parts, axis))
    views = [p.transpose(2, 1, 0)[::-1] for p in parts]
    np.testing.assert_array_equal(
        concat(views, {0: 2, 1: 1, 2: 0}[axis % 3]),
        np.concatenate(views, {0: 2, 1: 1, 2: 0}[axis % 3]),
    )


def test_each_operand_has_its_own_rescale():
    parts = operands([(2, n, 3) for n in (2, 3, 1, 4)])
    zeros = [5, -3, 0, 127]
    ledger = Ledger()
    y = concat(parts, 1, SCHEMES, zeros, -7, ledger=ledger)
    start, values = 0, []
    for part, scheme, zero in zip(parts, SCHEMES, zeros, strict=True):
        piece = y[:, start : start + part.shape[1]]
        start += part.shape[1]
        flat = part.reshape(-1).tolist()
        assert piece.reshape(-1).tolist() == [reference(v, scheme, zero, -7) for v in flat]
        wide = [reference(v, scheme, zero, -7, FixedFormat(32)) for v in flat]
        values.append(np.array(wide).reshape(part.shape))
    exact = np.concatenate(values, 1)
    np.testing.assert_array_equal(y, np.clip(exact, -128, 127))
    clamped = np.argwhere(exact != y)
    assert (ledger.minimum, ledger.maximum) == (exact.min(), exact.max())
    assert (ledger.elements, ledger.clamped) == (y.size, len(clamped))
    assert ledger.first == tuple(clamped[0].tolist())
    assert (ledger.overflows, ledger.kernel) == (0, "concat")


def test_the_first_clamped_element_is_that_of_the_result():
    # In C order of the result the second operand's comes before the first's.
    a, b = np.array([[0, 0], [100, 0]], np.int8), np.array([[0, 90], [90, 0]], np.int8)
    ledger = Ledger()
    concat([a, b], 1, [PowerOfTwo(-1), PowerOfTwo(-1)], ledger=ledger)
    assert (ledger.first, ledger.clamped, ledger.maximum) == ((0, 3), 3, 200)


def test_a_chain_equals_one_call():
    parts = operands([(2, 3), (2, 1), (2, 2)])
    once = concat(parts, 1, SCHEMES[:3], [1, 2, 3], 4)
    first = concat(parts[:2], 1, SCHEMES[:2], [1, 2], 4)
    np.testing.assert_array_equal(concat([first, parts[2]], 1, [None, SCHEMES[2]], [0, 3], 4), once)


def test_formats_memory_order_empty_and_draws():
    nhwc = [p.transpose(0, 3, 1, 2) for p in operands([(1, 4, 5, 2), (1, 4, 5, 3)])]
    y = concat(nhwc, 1)
    assert np.argsort(y.strides).tolist() == np.argsort(nhwc[0].strides).tolist()
    mixed = [np.array([1, 2], np.uint8), np.array([-300], np.int64)]
    assert concat(mixed, 0, output=FixedFormat(16)).dtype == np.int16
    ledger = Ledger(9, 9, 9)
    assert concat([np.empty((0, 2), np.int8)] * 2, 1, ledger=ledger).shape == (0, 4)
    assert (ledger.elements, ledger.minimum, ledger.first) == (0, 0, None)
    one = concat([np.array([1]), np.empty(0, int)], 0, ledger=ledger)
    assert (one.tolist(), ledger.minimum, ledger.maximum) == ([1], 1, 1)
    scheme = PowerOfTwo(4, "stochastic", 3)
    (x,) = operands([(2, 20)])
    drawn = concat([x, x], 1, [scheme, scheme])
    draws = (splitmix64(3, i) for i in range(x.size))
    pairs = zip(x.ravel().tolist(), draws, strict=True)
    expected = [reference(v, scheme, draw=draw) for v, draw in pairs]
    assert drawn[:, :20].ravel().tolist() == drawn[:, 20:].ravel().tolist() == expected


X = np.ones((2, 3), np.int8)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"operands": []}, "one or more"),
        ({"operands": X}, "operands must be arrays"),
        ({"operands": [X, X * 1.0]}, "operand 1 must be an integer"),
        ({"operands": [X, np.ones((3, 3), int)]}, r"\(2, 3\) and, as operand 1, \(3, 3\)"),
        ({"operands": [X, np.ones(2, int)]}, r"as operand 1, \(2,\)"),
        ({"operands": [X, X * np.int16(99) * 2]}, r"operand 1 .* 198 at index \(0, 0\).*127"),
        ({"axis": 2}, r"axis.*-2\.\.1"),
        ({"requantizers": [None]}, "requantizers must have one entry per operand.*a list of 2"),
        (
            {"requantizers": [FixedPoint((1, 2, 3), 4), None]},
            r"requantizers\[0\] must be per tensor",
        ),
        ({"requantizers": ["x", None]}, "requantizer must be a scheme"),
        ({"zero_points": 3}, "zero_points must have one entry"),
        ({"zero_points": [0, 0.5]}, r"zero_points\[1\]"),
        ({"output": FixedFormat(40)}, "1 to 32"),
        ({"ledger": 1}, "Ledger"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ContractError, match=match):
        concat(**{"operands": [X, X], "axis": 1} | arguments)
