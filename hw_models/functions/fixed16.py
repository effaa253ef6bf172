"""The 16-bit sigmoid and tanh of gemmlowp (google/gemmlowp fixedpoint/fixedpoint.h).

A value of k integer bits is ``raw / 2**(15 - k)``; results have none, so that 32767 stands for 1.
LiteRT's LSTM kernel has these; TFLite-Micro and CMSIS-NN have the curves of ``curves``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hw_models._pointwise import keep_ints
from hw_models.rounding import round_shift

if TYPE_CHECKING:
    from hw_models.formats import FixedFormat

ONE: Final = (1 << 15) - 1


def _constant(value: float, fraction: int) -> int:
    """Return a constant as gemmlowp has it: of 32 bits, then its upper half, rounded."""
    return int(round_shift(round(value * 2.0 ** (fraction + 16)), 16, "half_away"))


MINUS_EIGHTH: Final = _constant(math.exp(-0.125), 15)
THIRD: Final = _constant(1 / 3, 15)
NEWTON_48: Final = _constant(48 / 17, 13)
NEWTON_32: Final = _constant(-32 / 17, 13)
# exp(-2**e) for e of -2..4: what the bits of an exponent are worth.
POWERS: Final = tuple(_constant(math.exp(-(2.0**e)), 15) for e in range(-2, 5))


def _saturated(value: int) -> int:
    return min(max(value, -ONE - 1), ONE)


def _product(a: int, b: int) -> int:
    """Return ``a * b / 2**15``, half up, saturated: SaturatingRoundingDoublingHighMul."""
    return min((a * b + (1 << 14)) >> 15, ONE)


def _half(a: int, bits: int) -> int:
    """Return ``a / 2**bits``, half away from zero: RoundingDivideByPOT."""
    rounded = (abs(a) + (1 << bits - 1)) >> bits
    return rounded if a >= 0 else -rounded


def _exp_quarter(a: int) -> int:
    """Return exp of a value in [-1/4, 0), no integer bits: a series of four terms at -1/8."""
    x = a + (1 << 12)
    x2 = _product(x, x)
    x3, x4 = _product(x2, x), _product(x2, x2)
    tail = _half(_product(_half(x4, 2) + x3, THIRD) + x2, 1)
    return _saturated(MINUS_EIGHTH + _product(MINUS_EIGHTH, x + tail))


def exp_on_negative_values(a: int, integer_bits: int) -> int:
    """Return exp of a value at most 0, with up to 7 integer bits; the result has none."""
    if a == 0:
        return ONE
    fraction = 15 - integer_bits
    if integer_bits > 5 and a < -(1 << (fraction + 5)):
        return 0
    quarter = 1 << (fraction - 2)
    within = (a & (quarter - 1)) - quarter
    rest = within - a
    result = _exp_quarter(_saturated(within << integer_bits))
    bits = rest >> (fraction - 2)
    for place, power in enumerate(POWERS[: integer_bits + 2]):
        if bits >> place & 1:
            result = _product(result, power)
    return result


def _newton(a: int) -> int:
    """Return ``2 / (1 + a)`` of a value in [0, 1), two integer bits: three steps of Newton."""
    half_denominator = (a + ONE + 1) >> 1
    x = NEWTON_48 + _product(half_denominator, NEWTON_32)
    for _ in range(3):
        error = (1 << 13) - _product(half_denominator, x)
        x += _saturated(_product(x, error) << 2)
    return x


@dataclass(frozen=True, slots=True)
class FixedSigmoid:
    """gemmlowp's ``logistic``: ``1 / (1 + exp(-x))``, for negative x one less that of -x.

    Output: scale 2**-15, zero point 0.

    Attributes:
        integer_bits: of the input, 0..6; its scale is ``2**(integer_bits - 15)``.
    """

    integer_bits: int = 3

    def __post_init__(self) -> None:
        keep_ints(self, 0, 6, "integer_bits")

    def reference(self, code: int, output: FixedFormat) -> int:
        """Compute one code: the definition."""
        if code == 0:
            return output.saturate(1 << 14)
        quotient = _newton(exp_on_negative_values(-abs(code), self.integer_bits))
        upper = _saturated(quotient << 1)  # halved, from two integer bits to none
        return output.saturate(upper if code > 0 else ONE - upper)


@dataclass(frozen=True, slots=True)
class FixedTanh:
    """gemmlowp's ``tanh``: ``(1 - exp(-2x)) / (1 + exp(-2x))``, odd.

    Output: scale 2**-15, zero point 0.

    Attributes:
        integer_bits: of the input, 0..6; its scale is ``2**(integer_bits - 15)``.
    """

    integer_bits: int = 3

    def __post_init__(self) -> None:
        keep_ints(self, 0, 6, "integer_bits")

    def reference(self, code: int, output: FixedFormat) -> int:
        """Compute one code: the definition."""
        if code == 0:
            return output.saturate(0)
        # The same bits with one integer bit more are twice the value.
        quotient = _newton(exp_on_negative_values(-abs(code), self.integer_bits + 1))
        upper = _saturated((quotient - (1 << 13)) << 2)
        return output.saturate(upper if code > 0 else -upper)
