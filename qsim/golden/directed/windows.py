"""The contents of pooling windows that are filled on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.golden.directed import vectors as v

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from hw_models import FixedFormat

    Window = tuple[list[int], str]


def max_windows(codes: FixedFormat, taps: int, rng: random.Random) -> Iterator[Window]:
    """Give windows whose largest code has every place, is an end, or is hardly the largest."""
    low, high = codes.min, codes.max
    yield [low] * taps, v.EXTREME
    yield [high] * taps, v.EXTREME
    middle = [0, -1] if codes.signed else [(high + 1) // 2, high // 2]
    for place in range(taps):
        for largest in (high, low + 1, *middle):
            if largest == low:
                continue  # of one bit: nothing is smaller
            others = [low, largest - 1, rng.randint(low, largest - 1)]
            for other in others:
                window = [other] * taps
                window[place] = largest
                yield window, v.EDGE
        for bit in range(codes.bits):  # a lead of one bit, all higher ones alike
            top = rng.randint(low, high) | 1 << bit
            window = [top - (1 << bit)] * taps
            window[place] = top
            if codes.fits(top) and codes.fits(top - (1 << bit)):
                yield window, v.ONE_BIT
    for _ in range(4):
        yield [rng.choice((low, high)) for _ in range(taps)], v.SIGNS


def average_windows(
    codes: FixedFormat, output: FixedFormat, taps: int, rng: random.Random
) -> Iterator[Window]:
    """Give windows whose sum is a tie of the division, beside one, a multiple, or an end."""
    low, high = codes.min, codes.max
    yield [low] * taps, v.EXTREME
    yield [high] * taps, v.EXTREME
    if taps == 1:
        for code in (0, 1, -1):
            if codes.fits(code):
                yield [code], v.ZERO
    for quotient in _quotients(codes, output, rng):
        half = taps // 2
        middle = quotient * taps + half
        odd = taps % 2
        sums = [(middle, v.BESIDE if odd else v.TIE_UP if quotient >= 0 else v.TIE_DOWN)]
        sums += [(middle + 1, v.BESIDE), (middle - 1, v.BESIDE), (quotient * taps, v.ZERO)]
        if quotient < 0:
            sums[-1] = (quotient * taps, v.MULTIPLE)
        elif quotient > 0:
            sums.pop()
        for end in (output.min, output.max):
            if quotient == end:
                sums = [(total, v.EDGE) for total, _ in sums]
        for total, label in sums:
            if low * taps <= total <= high * taps:
                yield _with_sum(total, taps, codes, rng), label


def _quotients(codes: FixedFormat, output: FixedFormat, rng: random.Random) -> Iterator[int]:
    """Give the floors of means: around 0, at the ends, and some of either parity."""
    ends = (codes.min, codes.max, output.min, output.max)
    near = {e + step for e in (*ends, 0) for step in (-2, -1, 0, 1)}
    near |= {rng.randint(codes.min, codes.max) for _ in range(16)}
    yield from sorted(q for q in near if codes.fits(q))


def _with_sum(total: int, taps: int, codes: FixedFormat, rng: random.Random) -> list[int]:
    """Return codes with that sum: random, as far as the rest can still make up for them."""
    window: list[int] = []
    least, most = codes.min, codes.max
    rest = total
    for left in range(taps - 1, -1, -1):
        low, high = max(least, rest - left * most), min(most, rest - left * least)
        code = low + _below(high - low + 1, rng)
        window.append(code)
        rest -= code
    rng.shuffle(window)
    return window


def _below(end: int, rng: random.Random) -> int:
    """Return what ``rng.randrange(end)`` returns, in a third of its time: windows are long."""
    size = end.bit_length()
    drawn = rng.getrandbits(size)
    while drawn >= end:
        drawn = rng.getrandbits(size)
    return drawn
