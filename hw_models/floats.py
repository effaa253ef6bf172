"""The format of values that are not codes: IEEE 754 binary32, every operation defined to the bit.

Real-number meaning: the value is its own; there is no scale and no zero point. A primitive that
reads or makes such values states the order of its operations; each rounds to nearest even, results
too small for a normal number are denormal, results too large are infinite. Where a target fuses a
product and a sum (one rounding), the primitive's attribute says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np

from hw_models.formats import FixedFormat


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """The values that a register of IEEE 754 binary32 can hold."""

    @property
    def bits(self) -> int:
        """Width of the register."""
        return 32

    @property
    def signed(self) -> bool:
        """Negative values exist."""
        return True

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The NumPy type that holds every value."""
        return np.dtype(np.float32)


FLOAT32: Final = FloatFormat()

Format: TypeAlias = FixedFormat | FloatFormat
_LARGEST: Final = Fraction(float(np.finfo(np.float32).max))


def nearest32(value: Fraction) -> float:
    """Return the float32 number nearest to an exact value, ties to even: the definition."""
    if value == 0:
        return 0.0
    exponent = math.frexp(float(value))[1]
    # float() may round up to the next power of two, or be infinite above float32 anyway.
    exponent -= 1 if abs(value) < Fraction(2) ** (exponent - 1) else 0
    step = Fraction(2) ** (max(exponent - 1, -126) - 23)
    rounded = round(value / step) * step
    if abs(rounded) > _LARGEST:
        return math.inf if rounded > 0 else -math.inf
    return float(rounded)
