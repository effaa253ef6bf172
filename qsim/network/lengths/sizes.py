"""A size as a function of the length: every integer that depends on it is one."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Final

from qsim.errors import ModelError
from qsim.program import is_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Json

_DIVISORS: Final = range(2, 65)
_STEPS: Final = range(1, 9)
_MOST: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Size:
    """``(square * s * s + factor * s + offset) // divisor`` of a length s.

    Attributes:
        square, factor, offset: integers.
        divisor: 1 or more; the quotient is rounded down.
    """

    square: int
    factor: int
    offset: int
    divisor: int = 1

    def at(self, length: int) -> int:
        """Return the size at a length."""
        return (self.square * length * length + self.factor * length + self.offset) // self.divisor

    def to_json(self) -> list[int]:
        """Return the four integers, as files hold them."""
        return [self.square, self.factor, self.offset, self.divisor]

    @classmethod
    def from_json(cls, value: Json) -> Size:
        """Return the size of four integers.

        Raises:
            ModelError: they are something else.
        """
        good = isinstance(value, list) and len(value) == 4 and all(map(is_int, value))
        if not good or any(abs(int(str(part))) > _MOST for part in value) or int(str(value[3])) < 1:  # type: ignore[union-attr,index]  # good says it is a list
            raise ModelError.of("a size must be a function of the length", value, "[a, b, c, d]")
        return cls(*(int(str(part)) for part in value))  # type: ignore[union-attr]  # as above


def fitted(lengths: Sequence[int], values: Sequence[int]) -> Size | None:
    """Return the simplest size that has these values at these lengths, or None.

    Tried in this order: affine, quadratic, an affine size divided by 2 to 64. The same values at
    the same lengths give the same size.
    """
    polynomial = _polynomial(lengths, values)
    return _divided(lengths, values) if polynomial is None else polynomial


def _polynomial(lengths: Sequence[int], values: Sequence[int]) -> Size | None:
    """Return the polynomial of the lowest degree, at most 2, through all points."""
    first, last = lengths[0], lengths[-1]
    slope = Fraction(values[-1] - values[0], last - first) if last != first else Fraction(0)
    bend = Fraction(0)
    inner = [(s, v) for s, v in zip(lengths, values, strict=True) if first < s < last]
    if inner:
        s, value = inner[0]
        over = value - (values[0] + slope * (s - first))
        bend = over / Fraction((s - first) * (s - last))
    factor = slope - bend * (first + last)
    offset = values[0] - factor * first - bend * first * first
    if bend == 0 and (slope.denominator != 1 or offset.denominator != 1):
        return None
    divisor = lcm(bend.denominator, factor.denominator, offset.denominator)
    size = Size(int(bend * divisor), int(factor * divisor), int(offset * divisor), divisor)
    exact = all(
        bend * s * s + factor * s + offset == value
        for s, value in zip(lengths, values, strict=True)
    )
    return size if exact and divisor <= max(_DIVISORS) else None


def _divided(lengths: Sequence[int], values: Sequence[int]) -> Size | None:
    for divisor in _DIVISORS:
        for factor in _STEPS:
            pairs = list(zip(lengths, values, strict=True))
            low = max(divisor * value - factor * s for s, value in pairs)
            high = min(divisor * (value + 1) - factor * s for s, value in pairs)
            if low < high:
                return Size(0, factor, low, divisor)
    return None
