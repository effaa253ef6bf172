"""The 16-bit sigmoid and tanh of TFLite: 256 samples of one curve, interpolated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hw_models._arguments import require_scale
from hw_models._pointwise import keep_ints
from hw_models.errors import ContractError
from hw_models.functions.units import f32
from hw_models.rounding import round_shift

if TYPE_CHECKING:
    from hw_models.formats import FixedFormat


def _curve() -> tuple[int, ...]:
    """Return 256 samples of ``2**16 * sigmoid(i / 24)``, each shifted by half the chord's error.

    Between two samples the curve is replaced by its chord, which lies below it, most in the
    middle; raising both ends by half of that halves the largest error. The last sample is 65535.
    """

    def sigmoid(i: float) -> float:
        return 65536 / (1 + math.exp(-i / 24))

    def sample(i: int) -> int:
        below = sigmoid(i + 0.5) - (sigmoid(i) + sigmoid(i + 1)) / 2
        return math.floor(sigmoid(i) + below / 2 + 0.5)

    return (*(sample(i) for i in range(255)), 65535)


CURVE: Final = _curve()


def _interpolated(value: int, fraction: int) -> int:
    """Return ``2**(16 + fraction) * sigmoid(abs(value) / (24 * 2**fraction))``."""
    index, rest = abs(value) >> fraction, abs(value) & ((1 << fraction) - 1)
    low, high = CURVE[index], CURVE[index + 1]
    return (low << fraction) + rest * (high - low)


def _input16(scale: float, powers: tuple[int, ...]) -> tuple[int, int]:
    """Return multiplier and shift to codes of 1/12288 (3 * 4096 steps for real 1)."""
    exact = float(f32(require_scale(scale, "scale", np.float32)))
    mantissa, exponent = math.frexp(exact)
    left = exponent + 11
    if mantissa == 0.5 and left in powers:
        return 3 << left, 0
    product, shift = exact * 4096.0 * 3.0, 0
    while product <= 32767 / 2 and shift <= 30:
        product, shift = product * 2, shift + 1
    if product >= 32768:
        raise ContractError(
            f"the scale of a 16-bit sigmoid or tanh must be below 8/3, not {scale!r} "
            "(accepted: a product with 12288 that fits 16 bits)"
        )
    return int(product), shift


@dataclass(frozen=True, slots=True)
class Sigmoid16:
    """The 16-bit sigmoid of tensorflow lite/.../reference/integer_ops/logistic.h.

    ``v = (code * multiplier + 2**(right_shift - 1)) >> right_shift`` is the real value in steps of
    1/12288; 256 samples at 1/24 are interpolated, the last ten bits dropped half up (for negative
    v: half down from the mirrored side). Output: scale 2**-15, zero point 0.

    Attributes:
        multiplier: 0..32767.
        right_shift: 0..31.
    """

    multiplier: int
    right_shift: int

    def __post_init__(self) -> None:
        keep_ints(self, 0, (1 << 15) - 1, "multiplier")
        keep_ints(self, 0, 31, "right_shift")

    @classmethod
    def from_scale(cls, scale: float) -> Sigmoid16:
        """Derive the parameters as TFLite does: a scale of 2**-12 takes no shift."""
        return cls(*_input16(scale, (0,)))

    def reference(self, code: int, output: FixedFormat) -> int:
        """Compute one code: the definition."""
        value = round_shift(code * self.multiplier, self.right_shift, "half_up")
        high = abs(value) >> 9 >= 255
        part = 0x7FFF << 10 if high else _interpolated(value, 9)
        part = part + (1 << 9) if value >= 0 else (1 << 25) - part + (1 << 9) - 1
        return output.saturate(part >> 10)


@dataclass(frozen=True, slots=True)
class Tanh16:
    """The 16-bit tanh of tensorflow lite/.../reference/integer_ops/tanh.h.

    As ``Sigmoid16`` with ``tanh(x) = 2 * sigmoid(2 * x) - 1``; the last eight bits are dropped.

    Attributes:
        multiplier: 0..32767.
        right_shift: 0..31.
    """

    multiplier: int
    right_shift: int

    def __post_init__(self) -> None:
        keep_ints(self, 0, (1 << 15) - 1, "multiplier")
        keep_ints(self, 0, 31, "right_shift")

    @classmethod
    def from_scale(cls, scale: float) -> Tanh16:
        """Derive the parameters as TFLite does: scales of 2**-12 and 2**-11 take no shift."""
        return cls(*_input16(scale, (0, 1)))

    def reference(self, code: int, output: FixedFormat) -> int:
        """Compute one code: the definition."""
        value = round_shift(code * self.multiplier, self.right_shift, "half_up")
        high = abs(value) >> 8 >= 255
        part = 0xFFFF << 8 if high else _interpolated(value, 8)
        centre = 1 << 23
        part = part - centre + (1 << 7) if value >= 0 else centre - part + (1 << 7) - 1
        return output.saturate(part >> 8)
