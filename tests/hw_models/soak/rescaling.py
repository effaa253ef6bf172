"""Every requantizer's arithmetic again, in Python integers and fractions, from their sources."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import hw_models as hw
from tests.hw_models.soak.exact import c_divide, draw64, leaves, round_ratio, shift_round
from tests.hw_models.soak.floats import LIMIT, f32, times, whole

if TYPE_CHECKING:
    from hw_models.schemes import Requantizer


def high_mul(x: int, m: int, right_shift: int, bits: int) -> int:
    """fixedpoint.h: SaturatingRoundingDoublingHighMul of the left-shifted x."""
    n = bits - 1
    a = x * 2 ** max(n - right_shift, 0) % 2**32
    a -= 2**32 if a >= 2**31 else 0
    if a == -(2**31) and m == -(2**n):
        return 2**31 - 1
    ab = a * m
    return c_divide(ab + (2 ** (n - 1) if ab >= 0 else 1 - 2 ** (n - 1)), 2**n)


def by_power(high: int, right: int) -> int:
    """fixedpoint.h: RoundingDivideByPOT."""
    mask = 2**right - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def _tosa(x: int, m: int, s: int, *, double: bool, wide: bool) -> int | None:
    """apply_scale_32 and, wide, apply_scale_16: their three REQUIREs."""
    if not wide and (leaves(x, 32, "wrap") or leaves(x, s, "wrap")):
        return None
    if wide and leaves(x, 48, "wrap"):
        return None
    added = 2 ** (s - 1)
    if double and s > 31:
        added += 2**30 if x >= 0 else -(2**30)
    y = (x * m + added) // 2**s
    return None if leaves(y, 32, "wrap") else y


def fixed(x: int, q: hw.FixedPoint, channel: int = 0) -> int | None:
    """None: refused."""
    m = int(q.multipliers[channel % len(q.multipliers)])
    s = int(q.shifts[channel % len(q.shifts)])
    match q.rounding:
        case "single":
            return shift_round(x * m, s, "half_up")
        case "s64-reduced":
            reduced = min((m + 2**15) // 2**16, 2**15 - 1)
            return shift_round(x * reduced, s - 16, "half_up")
        case "tosa-single" | "tosa-double":
            return _tosa(x, m, s, double=q.rounding == "tosa-double", wide=q.bits == 16)
    if leaves(x, 32, "wrap"):
        return None
    high, right = high_mul(x, m, s, q.bits), max(s - q.bits + 1, 0)
    return by_power(high, right) if q.rounding == "double" else shift_round(high, right, "half_up")


def _float64(x: int, scale: float) -> int:
    """Python rounds integers and ratios of integers to float64 correctly."""
    exact = Fraction(float(x)) * Fraction(scale)
    if abs(exact) >= LIMIT:
        return LIMIT if exact > 0 else -LIMIT
    product = Fraction(exact.numerator / exact.denominator)
    return whole(product, "half_away")


def rescaled(q: Requantizer, x: int, channel: int = 0, index: int = 0) -> int | None:
    """What the scheme makes of an integer; None: refused. The index is that of random draws."""

    def at(values: Any) -> Any:
        return values[channel % len(values)].item()

    if isinstance(q, hw.FixedPoint):
        return fixed(x, q, channel)
    if isinstance(q, hw.FloatScale):
        return whole(times(f32(x), Fraction(at(q.scales))))
    if isinstance(q, hw.Float64Scale):
        return _float64(x, at(q.scales))
    k = at(q.shifts)
    if isinstance(q, hw.PowerOfTwo):
        return shift_round(x, k, q.rounding, draw64(q.seed, index))
    if isinstance(q, hw.MulAddShift):
        return shift_round(x * at(q.multipliers) + at(q.addends), k, q.rounding)
    offset, scale = (v[channel] if isinstance(v, tuple) else v for v in (q.offset, q.scale))
    return round_ratio((x - offset) * scale, 2**k, "half_away")
