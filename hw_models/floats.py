"""The format of values that are not codes: IEEE 754 binary32, every operation defined to the bit.

Real-number meaning: the value is its own; there is no scale and no zero point. A primitive that
reads or makes such values states the order of its operations; each rounds to nearest even, results
too small for a normal number are denormal, results too large are infinite. Where a target fuses a
product and a sum (one rounding), the primitive's attribute says so.
"""

from __future__ import annotations

from dataclasses import dataclass
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
