"""What coverage has to know of the arithmetic: where a rounding ties and where a code saturates.

Written from the formulas in the headers of ``requantize.sv`` and ``add.sv``; nothing is compared
with a design's results here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

# The SCHEMEs of requantize.sv; those of add.sv's shifted operands are 0 and 1.
DOUBLE, SINGLE, POWER_OF_TWO, DOUBLE_HALF_UP = 0, 1, 2, 3
CONVERTER, TOSA_DOUBLE, REDUCED, MULTIPLY_ADD = 4, 5, 6, 7
_REGISTER: Final = 32


def fixed(x: int, multiplier: int, shift: int, scheme: int, mul_w: int) -> int:
    """Return a rescaling in fixed point, in SCHEME 0 or 1."""
    if scheme == SINGLE:
        return (x * multiplier + (1 << shift >> 1)) >> shift
    if scheme == DOUBLE:
        high, left = _high(x, multiplier, shift, mul_w)
        return (abs(high) + (1 << left >> 1) >> left) * (1 if high >= 0 else -1)
    raise ValueError(f"SCHEME must be 0 or 1, not {scheme}")


def fixed_ties(x: int, multiplier: int, shift: int, scheme: int, mul_w: int) -> Iterator[str]:
    """Yield the ties that a rescaling in fixed point meets, in SCHEME 0 or 1."""
    if scheme == SINGLE:
        yield from ties(x * multiplier, 1 << shift)
    elif scheme == DOUBLE:
        power = mul_w - 1
        yield from ties(_wrap(x << max(power - shift, 0)) * multiplier, 1 << power)
        high, left = _high(x, multiplier, shift, mul_w)
        yield from ties(high, 1 << left)
    else:
        raise ValueError(f"SCHEME must be 0 or 1, not {scheme}")


def rescale_ties(
    x: int, multiplier: int, addend: int, shift: int, scheme: int, mul_w: int
) -> Iterator[str]:
    """Yield the ties that a requantization meets, in any scheme of ``requantize.sv``."""
    if scheme in (DOUBLE, DOUBLE_HALF_UP):
        yield from fixed_ties(x, multiplier, shift, DOUBLE, mul_w)
        return
    if scheme == REDUCED:
        multiplier, shift = min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1), shift - 16
    elif scheme == TOSA_DOUBLE:
        if shift >= _REGISTER:
            addend = 1 << 30 if x >= 0 else -1 << 30
    elif scheme not in (SINGLE, POWER_OF_TWO, CONVERTER, MULTIPLY_ADD):
        raise ValueError(f"SCHEME must be 0 to 7, not {scheme}")
    yield from ties(x * multiplier + addend, 1 << max(shift, 0))


def ties(value: int, divisor: int) -> Iterator[str]:
    """Yield the bin of an exact tie of value / divisor, if it is one."""
    if 2 * (value % divisor) == divisor:
        yield "tie_positive" if value > 0 else "tie_negative"


def range_bins(value: Fraction, low: int, high: int) -> Iterator[str]:
    """Yield where a real result lies against the codes that it is limited to."""
    if value <= low - 1:
        yield "saturates_low"
    elif value >= high + 1:
        yield "saturates_high"
    elif low < value < high:
        yield "inside"


def sign(value: int) -> str:
    """Return a word for a sign."""
    return "zero" if value == 0 else "positive" if value > 0 else "negative"


def _high(x: int, multiplier: int, shift: int, mul_w: int) -> tuple[int, int]:
    """Return what the first rounding of ``double`` leaves, and the shift that is still to do."""
    power = mul_w - 1
    product = _wrap(x << max(power - shift, 0)) * multiplier
    high = min((product + (1 << (power - 1))) >> power, (1 << (_REGISTER - 1)) - 1)
    return high, max(shift - power, 0)


def _wrap(value: int) -> int:
    half = 1 << (_REGISTER - 1)
    return (value + half) % (2 * half) - half
