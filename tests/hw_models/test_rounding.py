"""Rounding shifts against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from hw_models.errors import ContractError
from hw_models.rounding import DETERMINISTIC, ROUNDINGS, round_shift, rounding_code, splitmix64

WHOLE = {
    "floor": math.floor,
    "ceil": math.ceil,
    "toward_zero": math.trunc,
    "away": lambda v: math.ceil(v) if v > 0 else math.floor(v),
    "jam": lambda v: math.floor(v) | 1,
}
# Of a tie between the floor and the ceiling of v.
TIES = {
    "half_up": lambda v: math.ceil(v),
    "half_down": lambda v: math.floor(v),
    "half_away": lambda v: math.ceil(v) if v > 0 else math.floor(v),
    "half_toward_zero": lambda v: math.floor(v) if v > 0 else math.ceil(v),
    "half_even": lambda v: 2 * round(v / 2),
    "half_odd": lambda v: math.floor(v) if math.floor(v) % 2 else math.ceil(v),
}


def by_definition(x, k, rounding):
    value = Fraction(x, 1 << k)
    if rounding in WHOLE:
        return WHOLE[rounding](value)
    if value - math.floor(value) == Fraction(1, 2):
        return TIES[rounding](value)
    return math.floor(value + Fraction(1, 2))


@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("k", [1, 2, 3, 8, 40])
def test_against_fractions(rounding, k):
    for base in range(-9, 10):
        for near in {-1, 0, 1, 1 << k >> 1, (1 << k >> 1) - 1, (1 << k >> 1) + 1}:
            x = (base << k) + near
            assert round_shift(x, k, rounding) == by_definition(x, k, rounding)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_left_shifts_are_exact(rounding):
    assert [round_shift(x, -3, rounding) for x in (-5, 0, 7)] == [-40, 0, 56]
    assert round_shift(-5, 0, rounding) == -5


def test_stochastic_is_fair_and_names_its_draw():
    draws = [splitmix64(7, i) for i in range(4096)]
    up = sum(round_shift(1, 2, "stochastic", draw=d) for d in draws)
    assert 900 < up < 1150  # a quarter of 4096, three sigmas and more
    assert {round_shift(-3, 2, "stochastic", draw=d) for d in draws} == {-1, 0}
    assert round_shift(8, 2, "stochastic", draw=draws[0]) == 2
    # The published first outputs of splitmix64 for seed 0.
    assert [splitmix64(0, i) for i in range(2)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_names():
    assert [rounding_code(name) for name in ROUNDINGS] == list(range(12))
    with pytest.raises(ContractError, match="half_even"):
        rounding_code("nearest")
