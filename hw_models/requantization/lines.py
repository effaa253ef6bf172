"""One float32 line for each channel that makes the codes of a fixed-point scale.

What a scale makes of an accumulator x, before the zero point, is a stair: v(x) >= k exactly where
x >= T(k), and at most 255 of the T(k) matter, those between the smallest and the largest code. Any
function that never falls, and is at least k at T(k) and less than k at T(k) - 1 for each of these
k, gives the same codes for every x, saturation included. This one costs little:

    v(x) = round_half_even(second * float32(first * float32(x) + offset))

float32 has too few bits for a line of the right slope and offset to be right everywhere. So lines
next to it are tried for each channel until one is right on both sides of every T(k), with just the
roundings of the processor. One is found for nearly every scale from 2**-13 on (2**-12 where k runs
to 255); where none is, the caller needs another way.

Half away from zero is symmetric, and no line is, unless it jumps at zero: negative x has an offset
of its own, which is not above the other, so that the function never falls there either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.formats import IntArray

    Lines = npt.NDArray[np.float64]

REACH: Final = 1 << 25  # |T(k)| is less
_VALUES: Final = 1 << 10  # |k| is not more
_TRIES: Final = 1500  # first < 2**12
_GRID: Final = float(1 << 14)  # offset is a multiple of its inverse


def thresholds(
    multipliers: IntArray, shifts: IntArray, twice: tuple[bool, bool], limits: tuple[int, int]
) -> IntArray | None:
    """Return the smallest x with v(x) >= k for every k from limits[0] + 1 to limits[1].

    Args:
        multipliers: [channels], below 2**31.
        shifts: [channels], at least 33.
        twice: whether the product is rounded twice, and whether the second time ties go up.
        limits: the smallest and the largest value of interest.

    Returns:
        [channels, limits[1] - limits[0]]; None where one is 2**25 from 0 or more, where there is
        none, for values beyond 2**10 and for multipliers below 1.
    """
    if multipliers.min() < 1 or shifts.max() > 50 or max(map(abs, limits)) > _VALUES:
        return None
    k = np.arange(limits[0] + 1, limits[1] + 1, dtype=np.int64)
    products = (2 * k - 1) << (shifts[:, None] - 1)  # at most 2**11 * 2**49
    double, up = twice
    if double:
        # round_half_up(p / 2**31) reaches k - 1/2 from below, or passes it to get near to zero.
        products += np.where((k > 0) | up, -(1 << 30), 1 << 30)
    found = -((-products) // multipliers[:, None])
    return found if found.size and abs(found).max() < REACH else None


def fit(reached: IntArray, k: int, slopes: npt.NDArray[np.float64], signed: bool) -> Lines | None:
    """Return a line for every channel, or None where one has none.

    Args:
        reached: [channels, thresholds], of k and of the integers after it.
        k: the first one's.
        slopes: [channels], of v.
        signed: whether negative x may have another offset.

    Returns:
        [channels, 4]: first, second, offset, offset below zero; each fits float32.
    """
    lines = np.zeros((len(slopes), 4))
    return lines if _fit_all(reached, k, slopes, signed, lines) else None


@kernel
def _fit_all(reached: Any, k: Any, slopes: Any, signed: Any, lines: Any) -> Any:
    middles = np.empty(2)
    for channel, slope in enumerate(slopes):
        steps, line = reached[channel], lines[channel]
        # A loop, and no constants: each constant would be compiled as a signature of its own.
        for i in range(2):
            middles[i] = _middle(steps, k, slope, 1 - 2 * i if signed else 0)
        if not _fit(steps, k, slope, middles, line):
            return False
    return True


@kernel
def _middle(steps: Any, k: Any, slope: Any, side: Any) -> Any:
    """The middle of the offsets that are right for the slope, at the x with the sign of side."""
    low, high = -np.inf, np.inf
    for i, x in enumerate(steps):
        needed = k + i - 0.5
        if side == 0 or (x < 0) == (side < 0):
            low = max(low, needed - slope * x)
        if side == 0 or (x - 1 < 0) == (side < 0):
            high = min(high, needed - slope * (x - 1))
    return (max(low, high - slope) + min(high, low + slope)) / 2


@kernel
def _fit(steps: Any, k: Any, slope: Any, middles: Any, line: Any) -> Any:
    wrong = np.int64(0)  # one signature of _wrong, not one for the constant too
    for turn in range(_TRIES):
        first = np.float64(2 * turn + 1)  # twice as much is the same line
        nearest = np.float32(slope / first)
        for towards in (nearest, np.float32(0), np.float32(1)):
            second = np.float64(np.nextafter(nearest, towards))
            line[0], line[1] = first, second
            for side in range(2):
                line[2 + side] = np.float32(np.rint(middles[side] / second * _GRID) / _GRID)
            # What the last line failed at is the likeliest failure of this one.
            wrong = _wrong(steps, k, line, wrong)
            if wrong < 0:
                return line[3] <= line[2]
    return False


@kernel
def _wrong(steps: Any, k: Any, line: Any, start: Any) -> Any:
    """The index of a threshold at which the line is wrong, searched from start on; -1 for none.

    The sum is exact in float64 before it is rounded to float32 once, as a fused multiply-add does:
    less than 2**38, in steps of 2**-14. So is the product, of two float32.
    """
    for turn in range(steps.size):
        i = (start + turn) % steps.size
        for before in range(2):
            x = steps[i] - before
            offset = line[3] if x < 0 else line[2]
            inner = np.float32(np.float64(np.float32(x)) * line[0] + offset)
            if (np.rint(np.float64(inner) * line[1]) >= k + i) == (before == 1):
                return i
    return -1
