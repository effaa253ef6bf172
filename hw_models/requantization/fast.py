"""Fast kernel of requantize: int32 accumulators to 8-bit codes, no ledger, 32-bit lanes.

It returns what the exact kernels return; ``prepare`` declines (None) where that is not provable.

A fixed-point scale whose every channel has a line of ``_requantize_lines`` is that: a conversion to
float32 and two fused multiply-adds. The second adds 2**24 - 2**11, where float32 has the integers
and no others, and the bits of positive floats are in their order. That sum is positive down to the
least x, or x is kept from below -2**25, where the code is the smallest already.

Else only the product is 64 bits wide. With a shift s of 33 or more, the half of it that matters
after rounding is its upper one: floor((p + r) >> s) = ((p >> 32) + (r >> 32)) >> (s - 32) where r
is a multiple of 2**32. The zero point rides on that rounding constant.

``tosa-single`` is ``single`` where the multiplier is not negative, ``s64-reduced`` is ``single`` of
another multiplier, and ``tosa-double`` with a shift of 33 or more is ``double``: see below, where
h < 0 may be replaced by x < 0. No result of theirs leaves int32 there: |p| < 2**62.

``double-half-up`` is (p + 2**30 + 2**(s-1)) >> s, nested floors again; it has lines only.

``double`` is one such shift too. With h = (p + 2**30) >> 31 its second step, half away from zero,
is (h + 2**(e-1) - (h < 0)) >> e, and nested floors are one: with s = e + 31

    y = (p + 2**30 - 2**31 * (h < 0) + 2**(s-1)) >> s

h < 0 may be replaced by p < 0: they differ where -2**30 <= p < 0 only, and there y is 0 for both,
because the numerator is between 2**(s-1) - 2**31 >= 0 and 2**(s-1) + 2**30 < 2**s for s >= 33.

``doubled`` is the same for multipliers from 0 up with h within 32 bits at every step: with
X = x + 2**31 unsigned, the upper half of X * 2m + 2**31 is h + m; then (h - (x < 0) + r) >> e.
h < 0 and x < 0 differ for h = 0 only, where either gives code 0: e is at least 2.

A shift of 32-bit values clamps them first, to the exact multiples of 2**s at the ends of the output
range: a rounding is monotone and exact there, so that this equals clamping the code, and no sum
leaves 32 bits. Jamming, which sets the last bit of exact multiples too, is clamped after it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models.compiled import kernel
from hw_models.errors import ContractError, no_case
from hw_models.requantization.exact import fixed_rows, rounding_table
from hw_models.requantization.lines import REACH, fit, thresholds
from hw_models.requantization.modes import (
    DOUBLE,
    DOUBLED,
    FLOAT,
    LANES,
    LINE,
    MAGIC,
    MODES,
    SHIFT_JAM,
    SHIFT_PARITY,
    SHIFT_PLAIN,
    SHIFT_SIGN,
    SINGLE,
    TOP,
)
from hw_models.requantization.vector import (
    BLOCK,
    FUSED,
    HEADER,
    columns16,
    columns64,
    pointer,
    rows,
)
from hw_models.schemes import (
    REQUANTIZERS,
    Converter,
    FixedPoint,
    Float64Scale,
    FloatScale,
    MulAddShift,
    PowerOfTwo,
)
from hw_models.schemes.fixed_point import FIXED_ROUNDINGS

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.formats import IntArray
    from hw_models.schemes import Requantizer

    Rows = npt.NDArray[np.int64]

# What a line may be at least: added to 2**24 - 2**11, it is positive.
_DEEPEST: Final = -float((1 << 24) - (1 << 12))
# Channels innermost: pixels are taken in tiles of about so many elements (they stay in L1).
_TILE: Final = 16384


@kernel
def run(x: Any, y: Any, table: Any, mode: Any, width: Any, inner: Any) -> None:
    """Requantize flat x to flat y, at least 16 elements.

    inner >= 16: rows of so many neighbours of one channel, ``width`` channels in turn. inner = 0:
    neighbours are neighbour columns; ``width`` is a multiple of 64.
    """
    pitch = width + LANES
    if inner:
        outer = x.size // (inner * width)
        rows(pointer(x, 0), pointer(y, 0), pointer(table, 0), mode, width, pitch, inner, outer)
        return
    pixels = x.size // width
    tile = max(_TILE // width, 8)
    for first in range(0, pixels, tile):
        count = min(tile, pixels - first)
        for column in range(0, width, BLOCK):
            at = first * width + column
            columns64(
                pointer(x, at), pointer(y, at), pointer(table, 0), mode, column, pitch, width, count
            )
    for at in range(pixels * width, x.size - LANES + 1, LANES):
        column = at - pixels * width
        columns16(pointer(x, at), pointer(y, at), pointer(table, 0), mode, column, pitch, LANES, 1)
    if x.size % LANES:
        # Overlaps what is done: the same codes again. The table repeats LANES of its columns.
        at = x.size - LANES
        column = at % width
        columns16(pointer(x, at), pointer(y, at), pointer(table, 0), mode, column, pitch, LANES, 1)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a mode needs, before it is known how arrays lie in memory.

    Attributes:
        mode: number of the mode.
        header: the first words of a table.
        rows: [rows of the mode, channels or 1].
    """

    mode: int
    header: tuple[int, ...]
    rows: Rows

    def __post_init__(self) -> None:
        # The kernels switch on the number, and pass by one that they do not know.
        if self.mode not in range(len(MODES)) or len(self.rows) != MODES[self.mode][0]:
            raise ContractError(
                f"Parameters must be a mode's and its rows, not {len(self.rows)} rows of mode "
                f"{self.mode} (accepted: modes 0..{len(MODES) - 1}, with the rows of MODES)"
            )

    def arguments(self, inner: int, size: int) -> tuple[npt.NDArray[np.int32], int, int, int]:
        """Return table, mode, width and inner of ``run`` for [outer, channels, inner].

        Rows too short for a vector, and channels that lie innermost, become columns, one for each
        of a multiple of 64 neighbours.

        Args:
            inner: elements between two channels.
            size: elements in all, at least 16.
        """
        channels = self.rows
        if channels.shape[1] == 1:
            inner = size
        if inner < LANES:
            channels = np.repeat(channels, inner, axis=1)
            width = math.lcm(channels.shape[1], BLOCK)
            channels = np.tile(channels, (1, width // channels.shape[1]))
            inner = 0
        channels = np.take(channels, range(channels.shape[1] + LANES), axis=1, mode="wrap")
        words = np.zeros(HEADER + channels.size, np.int64)
        words[: len(self.header)] = self.header
        words[HEADER:] = channels.reshape(-1)
        # Constants of float32 and of unsigned kind travel as the int32 of the same bits.
        table = words.astype(np.uint32).view(np.int32)
        return table, self.mode, channels.shape[1] - LANES, inner


def prepare(requantizer: Requantizer, low: int, high: int, zero: int) -> Parameters | None:
    """Return the parameters of a fast kernel, or None where none is provably exact.

    Args:
        requantizer: the scheme.
        low: smallest code.
        high: largest code; both within 8 bits, signed or unsigned.
        zero: zero point.
    """
    if abs(zero) > 1 << 15:
        return None
    # Flipping the top bit of a byte is the same as xor with -128 in int8.
    flip = 128 if high > 127 else 0
    header = (low - flip, high - flip, flip)
    limits = (low - zero, high - zero)
    if isinstance(requantizer, FloatScale):
        return _float(requantizer.scales, header, limits, zero - flip)
    if isinstance(requantizer, FixedPoint):
        return _fixed(requantizer, header, limits, zero - flip)
    if isinstance(requantizer, PowerOfTwo):
        return _shift(requantizer, header, limits, zero - flip)
    if isinstance(requantizer, (MulAddShift, Converter, Float64Scale)):
        return None
    raise ContractError(no_case(requantizer, "a requantizer", (c.__name__ for c in REQUANTIZERS)))


def _float(
    scales: npt.NDArray[np.float32], header: tuple[int, ...], limits: tuple[int, int], zero: int
) -> Parameters:
    """One row: scales. Header: limits of the value in float32, constant with zero point.

    |value| <= 2**15 + 255 when 1.5 * 2**23 is added, where float32 has only integers: the sum
    rounds half to even. The limits are integers, so clamping before rounding is the same.
    """
    words = np.array(limits, np.float32).view(np.int32).tolist()
    bits = scales.astype(np.float32).view(np.int32).astype(np.int64)
    return Parameters(FLOAT, (*header, *words, zero - MAGIC), bits[None])


def _fixed(
    requantizer: FixedPoint, header: tuple[int, ...], limits: tuple[int, int], zero: int
) -> Parameters | None:
    """Rows multiplier, rounding constant with zero point, shift after the upper half."""
    multipliers, shifts, bits = requantizer.multipliers, requantizer.shifts, requantizer.bits
    match requantizer.rounding:
        case "double" | "tosa-double":
            double, up = True, False
        case "double-half-up":
            double, up = True, True
        case "single" | "tosa-single":
            double, up = False, False
        case "s64-reduced":
            double, up = False, False
            rows = fixed_rows(requantizer)
            multipliers, shifts, bits = rows[:, 0], rows[:, 3], 16
        case _:
            raise ContractError(
                no_case(requantizer.rounding, "the rounding of a fast kernel", FIXED_ROUNDINGS)
            )
    # A narrow multiplier is made 32 bits wide, exactly, so that the shift reaches 33.
    lift = np.broadcast_to(32 - bits, shifts.shape)
    if not double:
        lift = np.minimum(lift, 62 - shifts)
    multipliers, e = multipliers << lift, shifts + lift - 32
    if e.min() < 1:
        return None
    if double and multipliers.min() == -(1 << 31):  # its product saturates at one accumulator
        return None
    found = _line(multipliers, e + 32, (double, up), header, limits, zero) if FUSED else None
    if found is not None or up:
        return found
    rounders = (np.int64(1) << (e - 1)) + (np.int64(zero) << e)
    if abs(rounders).max() >= 1 << 30:  # |p >> 32| is at most 2**30: the sum stays in 32 bits
        return None
    if not double:
        return Parameters(SINGLE, header, np.stack([multipliers, rounders, e]))
    e, rounders = e + 1, 2 * rounders
    if multipliers.min() >= 0 and (multipliers + abs(rounders)).max() + 2 < 1 << 31:
        # x counts from -2**31 there, which adds the multiplier to the upper half.
        return Parameters(DOUBLED, header, np.stack([2 * multipliers, rounders - multipliers, e]))
    return Parameters(DOUBLE, header, np.stack([multipliers, rounders // 2, e - 1]))


def _line(
    multipliers: IntArray,
    shifts: IntArray,
    twice: tuple[bool, bool],
    header: tuple[int, ...],
    limits: tuple[int, int],
    zero: int,
) -> Parameters | None:
    """Rows first, second, offset, below. Header: constant with zero point, floor of x.

    twice: whether the product is rounded twice, and whether the second time ties go up.

    Limits on one side of zero are reached on that side only: there one offset is enough.
    """
    reached = thresholds(multipliers, shifts, twice, limits)
    if reached is None:
        return None
    slopes = np.ldexp(multipliers.astype(np.float64), -shifts)
    signed = twice == (True, False) and limits[0] < 0 < limits[1]
    lines = fit(reached, limits[0] + 1, slopes, signed)
    if lines is None:
        return None
    first, second, _, below = lines.T
    deep = bool((second * (first * -(2.0**31) + below)).min() < _DEEPEST)
    floor = int(np.float32(-REACH).view(np.int32))
    rows = lines[:, : 4 if signed else 3].astype(np.float32).view(np.int32).astype(np.int64)
    header = (*header, zero - TOP, floor)
    return Parameters(LINE + 2 * signed + deep, header, rows.T)


def _shift(
    requantizer: PowerOfTwo, header: tuple[int, ...], limits: tuple[int, int], zero: int
) -> Parameters | None:
    """Rows low, high, constant with zero point, shift; then the mode's own."""
    shifts, rounding = requantizer.shifts, requantizer.rounding
    if rounding == "stochastic" or shifts.min() < 0 or shifts.max() > 30:
        return None
    _, _, bias, negative, odd, jam = rounding_table(shifts, rounding).T
    if rounding == "half_even" and (max(map(abs, limits)) << int(shifts.max())) < 1 << 24:
        # Every x that is not clamped is exact in float32, and so is its product with 2**-s.
        return _float(np.ldexp(np.float32(1), -shifts), header, limits, zero)
    # Jamming gives at least low + 1 beyond low * 2**s: one code more, for the clamp after it.
    spare = int(rounding == "jam")
    least, most = (limits[0] - spare) << shifts, (limits[1] + spare) << shifts
    zeros = np.int64(zero) << shifts
    widest = np.maximum(abs(least), abs(most)) + abs(bias) + abs(negative) + abs(zeros) + 1
    if widest.max() >= 1 << 31:
        return None
    if rounding == "jam":
        constant = np.full(shifts.shape, zero)
        return Parameters(SHIFT_JAM, header, np.stack([least, most, constant, shifts, jam]))
    table = [least, most, bias + zeros, shifts]
    if negative.any():
        return Parameters(SHIFT_SIGN, header, np.stack([*table, negative]))
    if odd.any():
        # bias - bit = (bias - 1) + (1 - bit): half_odd is half_even with the bit flipped.
        table[2] = table[2] - (odd < 0)
        return Parameters(SHIFT_PARITY, header, np.stack([*table, odd < 0, odd != 0]))
    return Parameters(SHIFT_PLAIN, header, np.stack(table))
