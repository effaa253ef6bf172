"""Fixed-point functions of gemmlowp (google/gemmlowp fixedpoint/fixedpoint.h), in 32 bits.

A value of k integer bits is ``raw / 2**(31 - k)``. The definitions take Python integers;
``one_over_one_plus`` is compiled too, as softmax needs one for every row.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hw_models.compiled import kernel
from hw_models.rounding import round_shift

TOP: Final = (1 << 31) - 1
# Real constants as gemmlowp rounds them, to 31 fraction bits (48/17 and -32/17: 29).
EXP_MINUS_EIGHTH: Final = round(math.exp(-0.125) * 2**31)
THIRD: Final = round(2**31 / 3)
NEWTON_48: Final = round(48 / 17 * 2**29)
NEWTON_32: Final = -round(32 / 17 * 2**29)


def high_mul(a: int, b: int) -> int:
    """Return ``a * b / 2**31``, half up, saturated: SaturatingRoundingDoublingHighMul."""
    return min((a * b + (1 << 30)) >> 31, TOP)


def shift_left(a: int, bits: int) -> int:
    """Return ``a * 2**bits``, saturated to 32 bits."""
    return min(max(a << bits, -TOP - 1), TOP)


def shift_right(a: int, bits: int) -> int:
    """Return ``a / 2**bits``, half away from zero: RoundingDivideByPOT."""
    return int(round_shift(a, bits, "half_away"))


def _exp_quarter(a: int) -> int:
    """Return exp of a value in [-1/4, 0), no integer bits: a series of four terms at -1/8."""
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3, x4 = high_mul(x2, x), high_mul(x2, x2)
    tail = shift_right(high_mul(shift_right(x4, 2) + x3, THIRD) + x2, 1)
    return EXP_MINUS_EIGHTH + high_mul(EXP_MINUS_EIGHTH, x + tail)


def exp_on_negative_values(a: int, integer_bits: int) -> int:
    """Return exp of a value at most 0, with up to 5 integer bits; the result has none.

    The last quarter by a series, each higher bit of the rest by a product with exp(-2**e).
    """
    if a == 0:
        return TOP
    fraction = 31 - integer_bits
    quarter = 1 << (fraction - 2)
    within = (a & (quarter - 1)) - quarter
    rest = within - a
    result = _exp_quarter(shift_left(within, integer_bits))
    for exponent in range(-2, integer_bits):
        if rest >> (fraction + exponent) & 1:
            result = high_mul(result, round(math.exp(-(2.0**exponent)) * 2**31))
    return result


def one_over_one_plus(a: int) -> int:
    """Return ``1 / (1 + a)`` of a value in [0, 1), no integer bits: three steps of Newton."""
    half_denominator = (a + TOP + 1) >> 1
    x = NEWTON_48 + high_mul(half_denominator, NEWTON_32)
    for _ in range(3):
        error = (1 << 29) - high_mul(half_denominator, x)
        x += shift_left(high_mul(x, error), 2)
    return shift_left(x, 1)


compiled_high_mul: Any = kernel(high_mul)


@kernel
def compiled_one_over_one_plus(a: Any) -> Any:
    """Compute ``one_over_one_plus``; nothing saturates for a value in its range."""
    half_denominator = (a + TOP + 1) >> 1
    x = NEWTON_48 + compiled_high_mul(half_denominator, NEWTON_32)
    for _ in range(3):
        error = (1 << 29) - compiled_high_mul(half_denominator, x)
        x += min(max(compiled_high_mul(x, error) << 2, -TOP - 1), TOP)
    return min(x << 1, TOP)
