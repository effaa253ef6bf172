"""Exact kernels of requantize for every accumulator: 64-bit lanes, and two limbs beyond.

All take ``x[outer, channels, inner]`` (int64), write codes to ``y`` (the low 32 bits of the code)
and, where ``flags`` is not empty, what the output range clamped and ``stats`` = minimum, maximum,
clamped count of the value before the clamp.

Every rounding of one shift is one formula with a table per channel (``rounding_table``), of
``p = x * multiplier + addend``:
``((p + bias + neg * (p < 0) + odd * (p >> s & 1)) >> s | jam) << left``.

Every fixed-point scheme of hw_models.schemes is one formula with a row per channel (``fixed_rows``)
as well, of ``p = x * multiplier`` or, where it rounds twice, of the first rounding's result:
``(p + bias + neg * (p < 0)) >> s``. ``fixed_one`` is for the other primitives' kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from hw_models.compiled import kernel
from hw_models.errors import ContractError, no_case
from hw_models.rounding import ROUNDINGS
from hw_models.schemes.fixed_point import (
    FIXED_ROUNDINGS,
    REDUCED,
    FixedPoint,
    reduced_multiplier,
)

if TYPE_CHECKING:
    from hw_models.rounding import Rounding
    from hw_models.schemes.fixed_point import FixedRounding

LIMIT: Final = 1 << 62
_LOW32: Final = (1 << 32) - 1


def rounding_table(shifts: npt.NDArray[np.int64], rounding: Rounding) -> npt.NDArray[np.int64]:
    """Return one row (shift, left, bias, neg, odd, jam) per entry of ``shifts``."""
    table = np.zeros((len(shifts), 6), np.int64)
    for row, k in zip(table, shifts.tolist(), strict=True):
        row[0], row[1] = max(k, 0), max(-k, 0)
        if k <= 0:
            continue
        row[2:] = _constants(rounding, 1 << (k - 1), (1 << k) - 1)
    return table


def _constants(  # noqa: C901 - one case per rounding, and nothing else
    rounding: Rounding, half: int, full: int
) -> tuple[int, int, int, int]:
    """Return bias, neg, odd and jam of a shift."""
    match rounding:
        case "floor":
            return 0, 0, 0, 0
        case "ceil":
            return full, 0, 0, 0
        case "toward_zero":
            return 0, full, 0, 0
        case "away":
            return full, -full, 0, 0
        case "half_up":
            return half, 0, 0, 0
        case "half_down":
            return half - 1, 0, 0, 0
        case "half_away":
            return half, -1, 0, 0
        case "half_toward_zero":
            return half - 1, 1, 0, 0
        case "half_even":
            return half - 1, 0, 1, 0
        case "half_odd":
            return half, 0, -1, 0
        case "jam":
            return 0, 0, 0, 1
        case "stochastic":
            return 0, 0, 0, 0  # its kernel adds the draw
        case _:
            raise ContractError(no_case(rounding, "the rounding of the kernels' table", ROUNDINGS))


def fixed_rows(scheme: FixedPoint) -> npt.NDArray[np.int64]:
    """Return one row (multiplier, twice, left, shift, n, bias, neg) per channel of the scheme."""
    n = scheme.bits - 1
    rows = np.zeros((len(scheme.shifts), 7), np.int64)
    for row, m, k in zip(rows, scheme.multipliers.tolist(), scheme.shifts.tolist(), strict=True):
        row[:] = _fixed_row(scheme.rounding, m, k, n)
    return rows


def _fixed_row(rounding: FixedRounding, m: int, k: int, n: int) -> tuple[int, ...]:
    left, right = max(n - k, 0), max(k - n, 0)
    match rounding:
        case "double":
            return m, 1, left, right, n, _half(right), -1 if right else 0
        case "double-half-up":
            return m, 1, left, right, n, _half(right), 0
        case "single" | "tosa-single":
            return m, 0, left, k, n, _half(k), 0
        case "s64-reduced":
            return reduced_multiplier(m), 0, left, k - REDUCED, n, _half(k - REDUCED), 0
        case "tosa-double":
            # x < 0 where p < 0, or where m and y are 0
            extra = (1 << 30, -(1 << 31)) if k > 31 else (0, 0)
            return m, 0, left, k, n, _half(k) + extra[0], extra[1]
        case _:
            raise ContractError(no_case(rounding, "the rounding of a fixed row", FIXED_ROUNDINGS))


def _half(shift: int) -> int:
    return 1 << (shift - 1) if shift else 0


@kernel
def _finish(v: Any, o: Any, c: Any, i: Any, y: Any, flags: Any, stats: Any, bounds: Any) -> None:
    v += bounds[2]
    code = min(max(v, bounds[0]), bounds[1])
    y[o, c, i] = np.int32(code)
    if flags.size:
        stats[0] = min(stats[0], v)
        stats[1] = max(stats[1], v)
        flags[o, c, i] = code != v
        stats[2] += code != v


@kernel
def affine(
    x: Any,
    y: Any,
    flags: Any,
    stats: Any,
    bounds: Any,
    multipliers: Any,
    addends: Any,
    table: Any,
) -> None:
    """One product and one rounding; the caller has shown that nothing exceeds 64 bits."""
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            m, addend = multipliers[c], addends[c]
            s, left, bias, neg, odd, jam = table[c]
            for i in range(x.shape[2]):
                p = x[o, c, i] * m + addend
                p += bias + (neg if p < 0 else 0) + odd * ((p >> s) & 1)
                _finish(((p >> s) | jam) << left, o, c, i, y, flags, stats, bounds)


@kernel
def affine_wide(
    x: Any,
    y: Any,
    flags: Any,
    stats: Any,
    bounds: Any,
    multipliers: Any,
    addends: Any,
    table: Any,
    offset: Any,
) -> None:
    """As affine, of ``x - offset``, on ``high * 2**32 + low``; saturates at +-LIMIT."""
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            m, addend = multipliers[c], addends[c]
            s, left, bias, neg, odd, jam = table[c]
            for i in range(x.shape[2]):
                low = (x[o, c, i] & _LOW32) - offset
                high = ((x[o, c, i] >> 32) + (low >> 32)) * m
                low = (low & _LOW32) * m + (addend & _LOW32)
                high += (addend >> 32) + (low >> 32)
                low &= _LOW32
                bit = (low >> s) & 1 if s < 32 else (high >> (s - 32)) & 1
                nudge = bias + (neg if high < 0 else 0) + odd * bit
                low += nudge & _LOW32
                high += (nudge >> 32) + (low >> 32)
                low &= _LOW32
                if s >= 32:
                    v = high >> (s - 32)
                elif high >= 1 << (30 + s):
                    v = LIMIT
                elif high < -(1 << (30 + s)):
                    v = -LIMIT
                else:
                    v = (high << (32 - s)) | (low >> s)
                v |= jam
                if v >= LIMIT >> left:
                    v = LIMIT
                elif v < -(LIMIT >> left):
                    v = -LIMIT
                else:
                    v <<= left
                _finish(v, o, c, i, y, flags, stats, bounds)


@kernel
def stochastic(x: Any, y: Any, flags: Any, stats: Any, bounds: Any, table: Any, seed: Any) -> None:
    """``(x + r) >> s`` with splitmix64's draw at the element's position (C order)."""
    index = np.uint64(0)
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            s, left = table[c, 0], table[c, 1]
            mask = (1 << s) - 1
            for i in range(x.shape[2]):
                index += np.uint64(1)
                z = seed + index * np.uint64(0x9E3779B97F4A7C15)
                z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                z ^= z >> np.uint64(31)
                v = x[o, c, i]
                if s:
                    r = np.int64(z >> np.uint64(64 - s))
                    v = (v >> s) + (((v & mask) + r) >> s)
                elif v >= LIMIT >> left:
                    v = LIMIT
                elif v < -(LIMIT >> left):
                    v = -LIMIT
                else:
                    v <<= left
                _finish(v, o, c, i, y, flags, stats, bounds)


@kernel
def fixed_one(x: Any, row: Any) -> Any:
    """Rescale one value by a row of ``fixed_rows``; the product must fit 64 bits.

    gemmlowp's C++ divides by 2**n with truncation and a nudge that depends on the sign. That equals
    ``(p + 2**(n-1)) >> n`` for either sign, because ceil((p + 1 - h) / 2h) = floor((p + h) / 2h).
    """
    if row[1]:
        n = row[4]
        a = np.int64(np.int32(x << row[2]))
        p = min((a * row[0] + (1 << (n - 1))) >> n, np.int64(0x7FFFFFFF))
    else:
        p = x * row[0]
    return (p + row[5] + (row[6] if p < 0 else 0)) >> row[3]


@kernel
def fixed(x: Any, y: Any, flags: Any, stats: Any, bounds: Any, rows: Any) -> None:
    """A fixed-point scheme by its rows; the caller has shown that no product exceeds 64 bits."""
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            row = rows[c]
            for i in range(x.shape[2]):
                _finish(fixed_one(x[o, c, i], row), o, c, i, y, flags, stats, bounds)


@kernel
def float_scale(x: Any, y: Any, flags: Any, stats: Any, bounds: Any, scales: Any) -> None:
    """To float32, times the scale, half even; saturates at +-LIMIT before it is an integer."""
    limit = np.float32(LIMIT)
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            scale = scales[c]
            for i in range(x.shape[2]):
                r = np.rint(np.float32(x[o, c, i]) * scale)
                v = np.int64(min(max(r, -limit), limit))
                _finish(v, o, c, i, y, flags, stats, bounds)


@kernel
def float64_scale(x: Any, y: Any, flags: Any, stats: Any, bounds: Any, scales: Any) -> None:
    """To float64, times the scale, half away from zero; saturates at +-LIMIT."""
    limit = np.float64(LIMIT)
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            scale = scales[c]
            for i in range(x.shape[2]):
                r = min(max(np.float64(x[o, c, i]) * scale, -limit), limit)
                whole = np.trunc(r)
                v = np.int64(whole)
                # r - whole is exact; adding 0.5 to r is not.
                if abs(r - whole) >= 0.5:
                    v += 1 if r > 0 else -1
                _finish(v, o, c, i, y, flags, stats, bounds)
