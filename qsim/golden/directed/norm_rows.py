"""Rows that directed norms are made of: which codes, and what is added to their variance.

An epsilon may be any integer, so it can make the sum that a root is taken of (V of
``hw_models.integer.norms``) whatever is wanted above the row's own: a power of 4, whose inverse root is
exact, so that codes lie on ties; a square, and what lies beside one; powers of two, where the digits
of the root begin elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from qsim.golden.directed import vectors as v

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from hw_models import FixedFormat, IntegerNorm

SIZES: Final = (1, 2, 3, 24)
LONG: Final = 256  # fills the memory of the least unit
_SMALL: Final = 100  # of codes whose ties are visible in few bits


@dataclass(frozen=True)
class Rows:
    """Rows of one call.

    Attributes:
        name: of the call.
        codes: the rows, of one length; two at least.
        label: the class of an element that is in no other one.
        epsilon: None for that of a real norm.
        unit: rescaled by 1, so that the normalized value itself is seen.
        bits: biases of a single bit, with weights of 0.
    """

    name: str
    codes: tuple[tuple[int, ...], ...]
    label: str
    epsilon: int | None = None
    unit: bool = False
    bits: bool = False


def spread(row: tuple[int, ...], norm: IntegerNorm, x_zero_point: int | None) -> int:
    """Return V of a row without an epsilon; x_zero_point is None where the mean is subtracted."""
    codes = [x - (x_zero_point or 0) for x in row]
    total = sum(codes) if x_zero_point is None else 0
    return (len(row) * sum(x * x for x in codes) - total * total) << norm.guard


def rows(
    codes: FixedFormat, norm: IntegerNorm, x_zero_point: int | None, rng: random.Random, count: int
) -> Iterator[Rows]:
    """Give the rows of a norm: directed ones, then ``count`` random codes."""

    def draw(size: int, most: int = 1 << 16) -> tuple[int, ...]:
        low, high = max(codes.min, -most), min(codes.max, most)
        return tuple(rng.randint(low, high) for _ in range(size))

    yield from _plain(codes, draw(1)[0] if x_zero_point is None else x_zero_point)
    for size in SIZES[1:]:
        for part in range(3):
            row = draw(size, _SMALL)
            yield from _tied(f"tie-{size}-{part}", row, norm, x_zero_point)
            yield from _rooted(f"root-{size}-{part}", row, norm, x_zero_point, rng)
    row = draw(24)
    yield Rows("bits", (row, row[::-1]), v.ONE_BIT, bits=True)
    yield Rows("epsilon-largest", (row, row[::-1]), v.EXTREME, (1 << 62) - 1, unit=True)
    made = 0
    while made < count:
        size = rng.choice(SIZES[1:])
        made += 6 * size
        few = rng.choice((2, 20, _SMALL, 1 << 16))
        made_rows = tuple(draw(size, few) for _ in range(6))
        yield Rows(f"random-{made}", made_rows, v.RANDOM)


def _plain(codes: FixedFormat, other: int) -> Iterator[Rows]:
    """Give rows of equal codes, of the ends, and of one code that differs."""
    low, high = codes.min, codes.max
    for size in SIZES:
        flat = tuple((code,) * size for code in (low, high, 0, other))
        for epsilon in (0, 1):
            yield Rows(f"equal-{size}-{epsilon}", flat, v.EQUAL, epsilon)
    for size in (24, LONG):
        one = (low,) * (size - 1) + (high,)
        another = (high,) * (size - 1) + (low,)
        both = (low, high) * (size // 2)
        for unit in (False, True):
            name = f"ends-{size}-{'unit' if unit else 'scaled'}"
            yield Rows(name, (one, another[::-1], both), v.EXTREME, 0, unit)


def _tied(
    name: str, row: tuple[int, ...], norm: IntegerNorm, x_zero_point: int | None
) -> Iterator[Rows]:
    """Give a row whose V is a power of 4, with a code that is normalized to half a unit.

    With V = 4**m the reciprocal is a power of two, and ``n = d / 2**(m - guard / 2 - fraction)``.
    """
    count, total = len(row), 0 if x_zero_point is not None else sum(row)
    apart = [count * (x - (x_zero_point or 0)) - total for x in row]
    nonzero = [d for d in apart if d]
    if not nonzero:
        return
    halved = min(v.odd_part(d)[1] for d in nonzero) + 1
    m = halved + norm.guard // 2 + norm.fraction
    epsilon = (1 << (2 * m)) - spread(row, norm, x_zero_point)
    if 0 <= epsilon < 1 << 62:
        yield Rows(name, (row, row[::-1]), v.ROOT, epsilon, unit=True)


def _rooted(
    name: str, row: tuple[int, ...], norm: IntegerNorm, x_zero_point: int | None, rng: random.Random
) -> Iterator[Rows]:
    """Give a row whose V is a square or beside one, and a power of two or beside one."""
    least = spread(row, norm, x_zero_point)
    root, places = rng.getrandbits(norm.root_bits - 1) | 1 << (norm.root_bits - 1), 0
    while (root * root << 2 * places) <= least:
        places += 1
    power = least.bit_length() + rng.randrange(1, 8)
    for wanted in (root * root << 2 * places, 1 << min(power, 61)):
        for beside in (-1, 0, 1):
            epsilon = wanted + beside - least
            if 0 <= epsilon < 1 << 62:
                kind = "square" if wanted != 1 << min(power, 61) else "power"
                found = Rows(f"{name}-{kind}-{beside + 1}", (row, row[::-1]), v.ROOT, epsilon)
                yield replace(found, unit=beside == 0)
