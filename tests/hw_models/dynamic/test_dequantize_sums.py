"""dequantize_sums: the definition, with and without a bias, fused and not; rows of every shape."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hw_models as hw
from hw_models.dynamic.dequantize_sums import reference, reference_row_first

BIG = float(np.finfo(np.float32).max)
SUMS = (0, 1, -1, 255, -(1 << 24) - 1, (1 << 24) + 1, (1 << 25) + 3, (1 << 31) - 1, -(1 << 31))
SCALES = (1.0, 0.1, 3e-39, 1e-45, 7e18, BIG)
BIASES = (0.0, 0.3, -255.0, 1e-45, BIG)


@pytest.mark.parametrize("way", ["none", "apart", "fused"])
def test_every_pair_of_edges_follows_the_definition(way: str) -> None:
    bias = None if way == "none" else np.array(BIASES, np.float32)
    factors = np.resize(np.float32(SCALES), len(BIASES))
    acc = np.tile(np.array(SUMS)[:, None], (1, len(BIASES)))
    for scale in np.float32(SCALES):
        made = hw.dequantize_sums(
            acc,
            np.array([scale]),
            np.array([3]),
            factors,
            np.arange(len(BIASES)),
            bias,
            fused=way == "fused",
        )
        for (r, o), value in np.ndenumerate(made):
            given = None if bias is None else float(bias[o])
            total = SUMS[r] - 3 * o
            wanted = reference(total, float(scale), float(factors[o]), given, fused=way == "fused")
            assert value == wanted or (math.isnan(value) and math.isnan(wanted))


def test_one_rounding_is_not_two() -> None:
    third = np.float32([1 / 3])
    acc, zero = np.array([[3]]), np.array([0])
    made = [
        hw.dequantize_sums(acc, third, zero, np.float32([1]), zero, np.float32([-1]), fused=way)
        for way in (True, False)
    ]
    assert made[0] == 3 * float(third[0]) - 1 != 0
    assert made[1] == 0


def test_rows_have_their_own_parameters() -> None:
    random = np.random.default_rng(5)
    acc = random.integers(-(1 << 20), 1 << 20, (2, 3, 4))
    scale = random.random((2, 3, 1), np.float32)
    point = random.integers(0, 255, (2, 3, 1))
    weights, bias = random.random(4, np.float32), random.random(4, np.float32)
    sums, book = random.integers(-999, 999, 4), hw.Ledger()
    whole = hw.dequantize_sums(acc, scale, point, weights, sums, bias, ledger=book)
    for n in range(2):
        one = hw.dequantize_sums(
            acc[n].astype(np.int32), scale[n], point[n].astype(np.uint8), weights, sums, bias
        )
        assert np.array_equal(whole[n], one)
    assert (book.minimum, book.maximum) == (float(whole.min()), float(whole.max()))


def test_arguments_outside_the_contract_are_refused() -> None:
    acc, one, zero = np.zeros((2, 3), np.int32), np.ones(1, np.float32), np.zeros(1, np.int32)
    for call, said in (
        (lambda: hw.dequantize_sums(acc, np.ones(2, np.float32), zero, one, zero), "per row"),
        (lambda: hw.dequantize_sums(acc, one, zero, np.ones(2, np.float32), zero), "per output"),
        (lambda: hw.dequantize_sums(acc, one.astype(float), zero, one, zero), "float32 array"),
        (lambda: hw.dequantize_sums(acc.astype(float), one, zero, one, zero), "integer array"),
        (lambda: hw.dequantize_sums(np.int32(1), one, zero, one, zero), "a dimension of outputs"),
    ):
        with pytest.raises(hw.ContractError, match=said):
            call()


@pytest.mark.parametrize("given", [False, True])
def test_row_first_follows_the_definition(given: bool) -> None:
    """Ties of every step: sums and shares beyond 24 bits, scales that are no powers of two."""
    scales, zeros = np.float32([1.0, 0.1, 3e-39]), np.array([0, -128, 127])
    factors = np.float32([1.0, 0.3, 7e18, 1e-30, 0.1])
    weights = np.array([0, -1, (1 << 24) + 1, 777, -(1 << 20) - 1])
    bias = np.float32([0.0, 0.3, -255.0, 1e-45, 1e30]) if given else None
    for acc in SUMS:
        held = np.full((3, 5), acc)
        made = hw.dequantize_sums(
            held, scales[:, None], zeros[:, None], factors, weights, bias,
            fused=False, order="row_first",
        )  # fmt: skip
        for (r, o), value in np.ndenumerate(made):
            point, total = int(zeros[r]), int(weights[o])
            added = None if bias is None else float(bias[o])
            numbers = float(scales[r]), float(factors[o]), added
            assert value == reference_row_first(acc, point, total, *numbers)


def test_row_first_is_not_fused() -> None:
    one = np.ones(1, np.float32)
    with pytest.raises(hw.ContractError, match="fused must be False in the order 'row_first'"):
        hw.dequantize_sums(np.ones((1, 1), np.int32), one, [0], one, [0], order="row_first")
