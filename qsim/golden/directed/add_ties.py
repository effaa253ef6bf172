"""Where the roundings of an addition meet exact ties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, assert_never

import numpy as np

from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd
from hw_models.schemes import reduced_multiplier
from hw_models.schemes.fixed_point import REDUCED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hw_models.add import Adder
    from hw_models.schemes import FixedPoint

Flags = "npt.NDArray[np.bool_]"
Ints = "npt.NDArray[np.int64]"


def tie_flags(adder: Adder, a: Any, b: Any) -> Iterator[Any]:
    """Give, for each rounding of the adder, which pairs are exact ties there.

    Args:
        adder: the scheme.
        a: int64 codes less their zero point; within the adder's registers.
        b: as a.
    """
    if isinstance(adder, ShiftedAdd):
        parts = []
        for scheme, x in ((adder.a, a), (adder.b, b)):
            rescaled = _Rescale(scheme, x << adder.left_shift)
            yield from rescaled.ties
            parts.append(rescaled.value)
        yield from _Rescale(adder.out, parts[0] + parts[1]).ties
    elif isinstance(adder, AlignedAdd):
        yield _is_tie((a << adder.left_a) + (b << adder.left_b), int(adder.out.shifts[0]))
    elif isinstance(adder, MultiplierAdd):
        yield _is_tie(a * adder.multiplier_a + b * adder.multiplier_b, adder.right_shift)
    elif isinstance(adder, FloatAdd):
        exact = (a * adder.scale_a + b * adder.scale_b) / adder.scale_out
        yield np.abs(exact - np.trunc(exact)) == 0.5
    else:
        assert_never(adder)


def _is_tie(x: Any, shift: int) -> Any:
    if shift <= 0:
        return np.zeros(x.shape, np.bool_)
    return (x & ((1 << shift) - 1)) == 1 << (shift - 1)


class _Rescale:
    """One fixed-point rescaling of int32 values: its result and its ties, stage by stage."""

    def __init__(self, scheme: FixedPoint, x: Any) -> None:
        m, s = int(scheme.multipliers[0]), int(scheme.shifts[0])
        match scheme.rounding:
            case "double":
                self._twice(scheme, x, "half_away")
                return
            case "double-half-up":
                self._twice(scheme, x, "half_up")
                return
            case "single" | "tosa-single":
                product = x * m
            case "s64-reduced":
                product, s = x * reduced_multiplier(m), s - REDUCED
            case "tosa-double":
                # The nudge towards what a first rounding by 31 bits would have made.
                extra = 1 << 30 if s > 31 else 0
                product = x * m + np.where(x >= 0, extra, -extra)
            case _:
                assert_never(scheme.rounding)
        self.ties = [_is_tie(product, s)]
        self.value = (product + (1 << s >> 1)) >> s

    def _twice(self, scheme: FixedPoint, x: Any, second: Literal["half_away", "half_up"]) -> None:
        m, s, n = int(scheme.multipliers[0]), int(scheme.shifts[0]), scheme.bits - 1
        left, right = max(n - s, 0), max(s - n, 0)
        product = (x << left).astype(np.int32).astype(np.int64) * m
        first = (product + (1 << (n - 1))) >> n
        self.ties = [_is_tie(product, n), _is_tie(first, right)]
        half = 1 << right >> 1
        if second == "half_up":
            self.value = (first + half) >> right
        elif second == "half_away":
            self.value = np.sign(first) * ((np.abs(first) + half) >> right)
        else:
            assert_never(second)
