"""float32 arithmetic in exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

from tests.hw_models.soak.exact import round_ratio

LIMIT = 1 << 62  # floats beyond this count as this
INF = float("inf")


def f32(value: Fraction | int) -> Fraction | float:
    """Round an exact number to float32, half to even; an infinity beyond the largest."""
    exact = Fraction(value)
    size, below = abs(exact.numerator), exact.denominator
    if size == 0:
        return exact
    exponent = size.bit_length() - below.bit_length()
    if size << max(-exponent, 0) < below << max(exponent, 0):
        exponent -= 1  # now 2**exponent <= size / below < 2**(exponent + 1)
    step = max(exponent, -126) - 23
    code = round_ratio(size << max(-step, 0), below << max(step, 0), "half_even")
    if code.bit_length() + step > 128:
        return math.copysign(INF, exact)
    signed = code if exact > 0 else -code
    return Fraction(signed << step) if step >= 0 else Fraction(signed, 1 << -step)


def times(a: Fraction | float, b: Fraction) -> Fraction | float:
    return f32(a * b) if isinstance(a, Fraction) else a  # b > 0


def plus(a: Fraction | float, b: Fraction | int) -> Fraction | float:
    return f32(a + b) if isinstance(a, Fraction) else a


def whole(a: Fraction | float, rounding: str = "half_even") -> int:
    """Round to an integer, held to +-2**62."""
    if isinstance(a, float):
        return LIMIT if a > 0 else -LIMIT
    rounded = round_ratio(a.numerator, a.denominator, rounding)
    return min(max(rounded, -LIMIT), LIMIT)
