"""What a sum of products can reach, from its weights and the range of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hw_models.formats import IntArray


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval that holds every partial sum of a correlation, in any order.

    Attributes:
        minimum, maximum: the interval; it holds 0.
    """

    minimum: int
    maximum: int

    def within(self, minimum: int, maximum: int) -> bool:
        """Return whether the whole interval lies in minimum..maximum."""
        return minimum <= self.minimum and self.maximum <= maximum

    @property
    def fits_int32(self) -> bool:
        """Whether int32 holds every partial sum."""
        return self.within(-(1 << 31), (1 << 31) - 1)

    @property
    def fits_int64(self) -> bool:
        """Whether int64 holds every partial sum."""
        return self.within(-(1 << 63), (1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class WeightNorms:
    """The largest norms over the output channels of ``w - w_zero_point``.

    Attributes:
        positive: largest sum of the positive weights of one output channel.
        negative: largest sum of the magnitudes of its negative weights.
        total: largest L1 norm.
        minimum, maximum: extreme weights (0 included).
    """

    positive: int
    negative: int
    total: int
    minimum: int
    maximum: int

    @classmethod
    def of(cls, weight: IntArray) -> WeightNorms:
        """Take the norms of int64 weights [O, K], each below 2**34 in magnitude."""
        if weight.size == 0:
            return cls(0, 0, 0, 0, 0)
        total = abs(weight).sum(axis=1)
        plain = weight.sum(axis=1)
        return cls(
            int((total + plain).max()) >> 1,
            int((total - plain).max()) >> 1,
            int(total.max()),
            min(int(weight.min()), 0),
            max(int(weight.max()), 0),
        )

    def bounds(self, x_min: int, x_max: int) -> Bounds:
        """Bound every partial sum for inputs (less their zero point) in x_min..x_max.

        The range is widened to hold 0: then each term's contribution to the upper bound is not
        negative, and the bound of the whole sum holds for every prefix of it.
        """
        low, high = min(x_min, 0), max(x_max, 0)
        norm = self.total * max(-low, high)
        return Bounds(
            -min(norm, self.positive * -low + self.negative * high),
            min(norm, self.positive * high + self.negative * -low),
        )
