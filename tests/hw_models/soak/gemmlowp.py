"""gemmlowp's fixedpoint.h, in int64 arrays: its operators on 32-bit fixed-point numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

TOP = (1 << 31) - 1


def high_mul(a: Any, b: Any) -> Any:
    """SaturatingRoundingDoublingHighMul: the nudge, then C's division, which truncates."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    quotient = np.sign(nudged) * (np.abs(nudged) >> 31)
    return np.where((np.asarray(a) == b) & (np.asarray(a) == -TOP - 1), TOP, quotient)


def divide_by_power(x: Any, exponent: int) -> Any:
    """RoundingDivideByPOT, half away from zero."""
    values = np.asarray(x, np.int64)
    if exponent >= 34:
        return np.zeros_like(values)
    return np.sign(values) * ((np.abs(values) + ((1 << exponent) >> 1)) >> exponent)


def multiply_by_power(x: Any, exponent: int) -> Any:
    """SaturatingRoundingMultiplyByPOT."""
    if exponent < 0:
        return divide_by_power(x, -exponent)
    return np.clip(np.asarray(x, np.int64) << exponent, -TOP - 1, TOP)


def _exp_interval(a: Any) -> Any:
    """exp_on_interval_between_negative_one_quarter_and_0_excl: a Taylor polynomial about -1/8."""
    constant, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3, x4 = high_mul(x2, x), high_mul(x2, x2)
    rest = multiply_by_power(high_mul(multiply_by_power(x4, -2) + x3, third) + x2, -1)
    return np.clip(constant + high_mul(constant, x + rest), -TOP - 1, TOP)


def exp_negative(a: Any) -> Any:
    """exp_on_negative_values of a number with 5 integer bits; no integer bits in the result."""
    fraction = 26
    quarter = 1 << (fraction - 2)
    inside = (a & (quarter - 1)) - quarter
    result = _exp_interval(multiply_by_power(inside, 5))
    remainder = inside - a
    barrel = {
        -2: 1672461947,
        -1: 1302514674,
        0: 790015084,
        1: 290630308,
        2: 39332535,
        3: 720401,
        4: 242,
    }
    for exponent, multiplier in barrel.items():
        chosen = (remainder >> (fraction + exponent)) & 1
        result = np.where(chosen == 1, high_mul(result, multiplier), result)
    return np.where(a == 0, TOP, result)


def reciprocal(x: int, integer_bits: int) -> tuple[int, int]:
    """GetReciprocal: the reciprocal and the bits over unit, by three steps of Newton."""
    headroom = 32 - x.bit_length()
    a = (x << headroom) - (1 << 31)
    total = a + TOP
    half = (total + (1 if total >= 0 else -1)) // 2 if total >= 0 else -((-total + 1) // 2)
    estimate = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        error = (1 << 29) - high_mul(half, estimate)
        estimate = estimate + multiply_by_power(high_mul(estimate, error), 2)
    return int(multiply_by_power(estimate, 1)), integer_bits - headroom
