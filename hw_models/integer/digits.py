"""Lengths, quotients and square roots of integers that are not negative, digit by digit.

The definitions use ``+ - * << >>``, signed comparison and ``select`` alone, so that they run on
bit-vectors of an SMT solver too, wide enough for twice the digits. The compiled ones make the same
integers: the floor of a quotient, the floor of a root. Newton's iteration of I-BERT (algorithm 4 of
arXiv 2101.01321) ends at the same floor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.compiled import kernel
from hw_models.formats import if_else

if TYPE_CHECKING:
    from hw_models.formats import Select


def length(n: Any, bits: int, select: Select = if_else) -> Any:
    """Return how many bits ``0 <= n < 2**bits`` has: 0 of 0."""
    result = n - n
    for place in range(bits):
        result = select(n >= (1 << place), result - result + (place + 1), result)
    return result


def quotient(a: Any, b: Any, bits: int, select: Select = if_else) -> Any:
    """Return ``floor(a / b)`` where it lies in ``0..2**bits - 1`` and b is positive."""
    return division(a, b, bits, select)[0]


def division(a: Any, b: Any, bits: int, select: Select = if_else) -> tuple[Any, Any]:
    """Return ``floor(a / b)``, as :func:`quotient`, and what is left of a."""
    result, rest = a - a, a
    for place in reversed(range(bits)):
        fits, rest = quotient_step(rest, b, place, select)
        result = select(fits, result + (1 << place), result)
    return result, rest


def quotient_step(rest: Any, b: Any, place: int, select: Select = if_else) -> tuple[Any, Any]:
    """Return whether the digit of ``2**place`` is 1, and what is left of the dividend then."""
    part = b * (1 << place)
    fits = rest >= part
    return fits, select(fits, rest - part, rest)


def root(n: Any, bits: int, select: Select = if_else) -> Any:
    """Return ``floor(sqrt(n))`` of ``0 <= n < 4**bits``."""
    result = n - n
    for place in reversed(range(bits)):
        result = root_step(result, n, place, select)
    return result


def root_step(result: Any, n: Any, place: int, select: Select = if_else) -> Any:
    """Return a root with its digit of ``2**place``: 1 if the root's square stays within n."""
    trial = result + (1 << place)
    return select(trial * trial <= n, trial, result)


def scaled(n: Any, places: Any, select: Select = if_else) -> Any:
    """Return ``floor(n * 2**places)``; places may be negative."""
    up = select(places > 0, places, places - places)
    down = select(places < 0, -places, places - places)
    return (n << up) >> down


def rounded(n: Any, places: Any) -> Any:
    """Return ``n / 2**places``, rounded half up; places is not negative."""
    return (n + ((n - n + 1 << places) >> 1)) >> places


def moved(n: Any, places: int) -> Any:
    """Return ``floor(n * 2**places)`` of a number of either sign."""
    return n * (1 << places) if places >= 0 else n >> -places


@kernel
def compiled_length(n: Any) -> Any:
    """Compute ``length`` of an integer that 63 bits hold."""
    count = 0
    while n:
        n >>= 1
        count += 1
    return count


@kernel
def compiled_root(n: Any) -> Any:
    """Compute ``root`` of an integer below 2**62: float64's, corrected."""
    result = np.int64(math.sqrt(n))
    while result * result > n:
        result -= 1
    while (result + 1) * (result + 1) <= n:
        result += 1
    return result


@kernel
def compiled_scaled(n: Any, places: Any) -> Any:
    """Compute ``scaled``, or ``moved``, where the result fits 63 bits."""
    return n << places if places >= 0 else n >> -places


@kernel
def note(ends: Any, place: Any, value: Any) -> None:
    """Widen the extremes of a register."""
    ends[place, 0] = min(ends[place, 0], value)
    ends[place, 1] = max(ends[place, 1], value)
