"""Where two arrays of integers differ, and how that is shown."""

from __future__ import annotations

from qsim.mismatch.comparison import Mismatch, compare, to_hex

__all__ = [
    "Mismatch",
    "compare",
    "to_hex",
]
