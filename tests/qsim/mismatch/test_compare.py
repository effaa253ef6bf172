"""Comparison of integer arrays, and how a difference is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.errors import InputError
from qsim.mismatch.comparison import Mismatch, compare, show_index, to_hex
from qsim.mismatch.histogram import MOST_BINS, Bin

DTYPES = ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64")


def differing(expected: np.ndarray, actual: np.ndarray, **options: Any) -> Mismatch:
    mismatch = compare(expected, actual, **options)
    assert mismatch is not None
    return mismatch


def test_equal_arrays_agree() -> None:
    for dtype in DTYPES:
        info = np.iinfo(dtype)
        x = np.array([[info.min, 0, info.max]], dtype)
        assert compare(x, x.copy()) is None
        assert compare(x, np.asfortranarray(x)) is None
    empty = np.zeros((0, 3), np.int8)
    assert compare(empty, empty) is None
    assert compare(np.array(3), np.array(3)) is None


def test_the_first_difference_is_shown() -> None:
    x = np.zeros((2, 3, 4, 5), np.int8)
    y = x.copy()
    y[0, 2, 1, 3], y[1, 0, 0, 0], y[1, 2, 3, 4] = -1, 1, 1
    found = differing(x, y, bits=8)
    assert (found.index, found.expected, found.actual) == ((0, 2, 1, 3), 0, -1)
    assert (found.count, found.total) == (3, 120)
    assert found.histogram == (Bin(-1, -1, 1), Bin(1, 1, 2))
    assert found.lines() == [
        "first difference at n=0, c=2, h=1, w=3",
        "  expected   0  0x00",
        "  actual    -1  0xff",
        "3 of 120 elements differ",
        "actual - expected, in LSB:",
        "  -1  1  ###############",
        "  +1  2  ##############################",
    ]


def test_hex_has_the_width_of_the_format() -> None:
    assert to_hex(-1, 20) == "0xfffff"
    assert to_hex(-(1 << 63), 64) == "0x8000000000000000"
    assert to_hex(5, 3) == "0x5"
    assert to_hex(-1, 1) == "0x1"
    assert to_hex("8'hxx", 8) == "8'hxx"
    x = np.array([5], np.int32)
    assert differing(x, -x, bits=20).lines()[2].endswith("-5  0xffffb")
    assert differing(x, -x).lines()[2].endswith("-5  0xfffffffb")


@pytest.mark.parametrize(("index", "text"), [((), "[]"), ((3,), "[3]"), ((1, 2), "[1, 2]")])
def test_an_index_of_another_rank_is_a_list(index: tuple[int, ...], text: str) -> None:
    assert show_index(index) == text


def test_a_scalar_is_compared() -> None:
    found = differing(np.array(3, np.int16), np.array(-4, np.int16))
    assert found.index == ()
    assert found.histogram == (Bin(-7, -7, 1),)


def test_shape_and_dtype_are_compared_too() -> None:
    x = np.zeros((2, 3), np.int8)
    assert "shape differs" in str(differing(x, x.T))
    assert "(2, 3)" in str(differing(x, x.T))
    assert "(3, 2)" in str(differing(x, x.T))
    assert str(differing(x, x.astype(np.int16))).split() == [
        *("dtype", "differs", "expected", "int8", "actual", "int16"),
    ]


def test_a_tolerance_is_written_down() -> None:
    x = np.array([0, 0, 0], np.int32)
    y = np.array([1, -2, 3], np.int32)
    assert compare(x, y, tolerance=3) is None
    found = differing(x, y, tolerance=1)
    assert (found.index, found.count) == ((1,), 2)
    assert "2 of 3 elements differ by more than the tolerance of 1 LSB" in found.lines()
    assert "tolerance" not in str(differing(x, y))
    with pytest.raises(InputError, match="must not be negative"):
        compare(x, y, tolerance=-1)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros(3, object), [0, 0, 0]])
def test_what_holds_no_integers_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="must hold integers"):
        compare(np.zeros(3, np.int8), wrong)


def test_the_whole_range_of_64_bits() -> None:
    low, high = -(1 << 63), (1 << 63) - 1
    found = differing(np.array([low, high]), np.array([high, low]))
    assert found.histogram == (Bin(-(1 << 64) + 1, -(1 << 64) + 1, 1), Bin(2**64 - 1, 2**64 - 1, 1))
    unsigned = differing(np.array([0], np.uint64), np.array([(1 << 64) - 1], np.uint64))
    assert (unsigned.expected, unsigned.actual) == (0, (1 << 64) - 1)


@given(st.integers(0, 2**32 - 1), st.sampled_from(DTYPES), st.integers(1, 60))
def test_the_histogram_counts_every_difference(seed: int, dtype: str, size: int) -> None:
    rng = np.random.default_rng(seed)
    info = np.iinfo(dtype)
    x, y = (rng.integers(info.min, info.max, size, dtype, endpoint=True) for _ in range(2))
    y[: size // 2] = x[: size // 2]
    near = rng.random(size) < 0.5
    y = np.where(near & (x < info.max), x + np.ones_like(x), y).astype(dtype)
    exact = [int(b) - int(a) for a, b in zip(x, y, strict=True) if a != b]
    if not exact:
        assert compare(x, y) is None
        return
    found = differing(x, y)
    assert found.count == len(exact) == sum(part.count for part in found.histogram)
    assert len(found.histogram) <= MOST_BINS
    assert all(len(line) <= 100 for line in found.lines())
    for part in found.histogram:
        assert part.count == sum(part.low <= value <= part.high for value in exact)
    edges = [edge for part in found.histogram for edge in (part.low, part.high)]
    assert edges == sorted(edges)
    if len(set(exact)) <= MOST_BINS:
        assert all(part.low == part.high for part in found.histogram)


def test_text_of_a_simulator_and_the_cycle_are_shown() -> None:
    found = Mismatch((0, 1, 2, 3), -3, "8'bxxxx0000", 1, 9, bits=8, cycle=1234)
    assert found.lines()[:3] == [
        "first difference at n=0, c=1, h=2, w=3, in cycle 1,234",
        "  expected           -3  0xfd",
        "  actual    8'bxxxx0000  8'bxxxx0000",
    ]
    assert found.to_dict()["actual"] == "8'bxxxx0000"


def test_the_json_form_holds_all_of_it() -> None:
    x = np.array([1, 2], np.int8)
    assert differing(x, -x).to_dict() == {
        "index": [0],
        "expected": 1,
        "actual": -1,
        "expected_hex": "0x01",
        "actual_hex": "0xff",
        "count": 2,
        "total": 2,
        "histogram": [[-4, -4, 1], [-2, -2, 1]],
        "cycle": None,
        "tolerance": 0,
        "reason": "",
    }
