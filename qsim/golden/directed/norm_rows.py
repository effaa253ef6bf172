"""Rows that directed norms are made of: which codes, and what is added to their variance.

An epsilon may be any integer, so it can make the sum that a root is taken of (V of
``hw_models.integer.norms``) whatever is wanted above the row's own: a power of 4, whose inverse
root is exact, so that codes lie on ties; a square, and what lies beside one; powers of two, where
the digits of the root begin elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qsim.golden.directed import vectors as v

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from hw_models import FixedFormat, IntegerNorm

SIZES: Final = (1, 2, 3, 24)
LONG: Final = 256  # fills the memory of the least unit
# Highest bits of variances that begin with four ones: of more than these little is left of a code.
_TOPS: Final = (33, 37, 41, 45, 49, 53)
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
        near = x_zero_point or 0
        low, high = max(codes.min, near - most), min(codes.max, near + most)
        return tuple(rng.randint(low, high) for _ in range(size))

    yield from _plain(codes, draw(1)[0] if x_zero_point is None else x_zero_point)
    for size in SIZES[1:]:
        for kind in ("square", "power"):
            row = draw(size, _SMALL)
            yield from _tied(f"tie-{size}-{kind}", row, norm, x_zero_point)
            least = spread(row, norm, x_zero_point)
            wanted = (_square if kind == "square" else _power)(least, norm, rng)
            for beside in (-1, 0, 1):
                epsilon = wanted + beside - least
                if 0 <= epsilon < 1 << 62:
                    name, both = f"{kind}-{size}-{beside + 1}", (row, row[::-1])
                    yield Rows(name, both, v.ROOT, epsilon, unit=beside == 0)
        few = draw(size, 2)  # a short variance
        yield Rows(f"few-{size}", (few, few[::-1]), v.ROOT, size, unit=True)
    for top in _TOPS:
        row = draw(24)
        epsilon = max((15 << top - 3) - spread(row, norm, x_zero_point), 0)
        yield Rows(f"top-{top}", (row, row[::-1]), v.ROOT, epsilon, unit=True)
    row = draw(24)
    yield Rows("bits", (row, row[::-1]), v.ONE_BIT, bits=True)
    yield Rows("epsilon-largest", (row, row[::-1]), v.EXTREME, (1 << 62) - 1, unit=True)
    made = 0
    while made < count:
        size = rng.choice(SIZES[1:])
        made += 6 * size
        most = rng.choice((2, 20, _SMALL, 1 << 16))
        made_rows = tuple(draw(size, most) for _ in range(6))
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
        yield Rows(f"ends-{size}", (one, another[::-1], both), v.EXTREME, 0)
    yield Rows("ends-unit", (both[:24], one[:23] + one[-1:]), v.EXTREME, 0, unit=True)


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


def _square(least: int, norm: IntegerNorm, rng: random.Random) -> int:
    """Return an even power of two times a square, whose root has all its bits, above ``least``."""
    root = rng.getrandbits(norm.root_bits - 1) | 1 << (norm.root_bits - 1)
    places = 0
    while (root * root << 2 * places) <= least:
        places += 1
    return root * root << 2 * places


def _power(least: int, norm: IntegerNorm, rng: random.Random) -> int:
    """Return a power of two above ``least``: the digits beside it begin elsewhere."""
    del norm
    return 1 << min(least.bit_length() + rng.randrange(1, 8), 61)
