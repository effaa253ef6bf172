"""linear_pairs: the definition, at the edges of 16 bits, with and without a partner."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import hw_models as hw
from hw_models.dynamic.linear_pairs import reference

CODES = (0, 1, 127, 128, 129, 254, 255)
WEIGHTS = (-128, -127, -1, 0, 1, 126, 127)


def wanted(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.array([[reference(row, w) for w in weight.tolist()] for row in x.tolist()], np.int32)


def test_every_pair_of_edges_follows_the_definition() -> None:
    x = np.array(list(itertools.product(CODES, repeat=2)))
    weight = np.array(list(itertools.product(WEIGHTS, repeat=2)))
    made = hw.linear_pairs(x, weight)
    assert np.array_equal(made, wanted(x, weight))
    assert made.max() == 32767
    assert made.min() == -32768
    exact = x @ weight.T
    assert np.array_equal(made, np.clip(exact, -32768, 32767))
    assert (made != exact).any()


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 33, 64])
def test_drawn_rows(depth: int) -> None:
    random = np.random.default_rng(depth)
    x = random.integers(0, 256, (2, 3, depth), np.uint8)[:, ::-1]
    weight = random.integers(-128, 128, (5, depth), np.int8)
    made = hw.linear_pairs(x, weight)
    assert made.shape == (2, 3, 5)
    assert made.dtype == np.int32
    assert np.array_equal(made.reshape(6, 5), wanted(x.reshape(6, depth), weight))


def test_reduced_codes_are_those_of_linear() -> None:
    x = np.full((1, 8), 128, np.uint8)
    for factor in (-128, 127):
        weight = np.full((1, 8), factor, np.int8)
        same = np.array_equal(hw.linear_pairs(x[:, :8] - 1, weight), hw.linear(x - 1, weight))
        assert same
    assert hw.linear_pairs(x, np.full((1, 8), -128, np.int8)) == -4 * 32768


def test_the_ledger_has_pairs_and_sums() -> None:
    x = np.array([[1, 1, 1], [255, 255, 3]])
    weight = np.array([[1, 1, 1], [127, 127, -1], [-128, -128, 2]])
    book = hw.Ledger()
    made = hw.linear_pairs(x, weight, book)
    pair, total = book.registers
    assert (pair.minimum, pair.maximum) == (-65280, 64770)
    assert (pair.bits, pair.overflow, pair.overflows, pair.first) == (16, "saturate", 2, (1, 1))
    assert (total.minimum, total.maximum) == (made.min(), made.max())
    assert total.overflows == 0


def test_long_sums_wrap() -> None:
    depth = (1 << 17) + 2
    x, weight = np.full((1, depth), 255, np.uint8), np.full((1, depth), 127, np.int8)
    book = hw.Ledger()
    made = hw.linear_pairs(x, weight, book)
    assert made[0, 0] == reference(x[0].tolist(), weight[0].tolist())
    assert book.registers[1].overflows == (32767 * (depth // 2) >= 1 << 31)
    x, weight = np.full((1, depth), 255, np.uint8), np.full((1, depth), -128, np.int8)
    assert hw.linear_pairs(x, weight, book)[0, 0] == (1 << 31) - 32768
    assert book.registers[1].overflows == 1


@pytest.mark.parametrize(
    ("x", "weight", "said"),
    [
        (np.array([[256]]), np.array([[1]]), "x must hold codes of its format, not 256"),
        (np.array([[-1]]), np.array([[1]]), "x must hold codes of its format, not -1"),
        (np.array([[1]]), np.array([[128]]), "weight must hold codes of its format, not 128"),
        (np.array([[1, 2]]), np.array([[1]]), "x must have shape"),
        (np.array([[1]]), np.array([1]), "weight must have shape"),
        (np.array([[1.5]]), np.array([[1]]), "x must be an integer array"),
    ],
)
def test_what_is_outside_the_contract(x: np.ndarray, weight: np.ndarray, said: str) -> None:
    with pytest.raises(hw.ContractError, match=said):
        hw.linear_pairs(x, weight)
