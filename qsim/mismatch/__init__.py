"""Where two arrays of integers or of float32 differ, and how that is shown."""

from __future__ import annotations

from qsim.mismatch.apart import Apart, Tensor, apart
from qsim.mismatch.comparison import Mismatch, compare, to_hex

__all__ = [
    "Apart",
    "Mismatch",
    "Tensor",
    "apart",
    "compare",
    "to_hex",
]
