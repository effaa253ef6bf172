"""Where two arrays of integers differ, and how that is shown."""

from __future__ import annotations

from qsim.mismatch.comparison import Mismatch, compare

__all__ = [
    "Mismatch",
    "compare",
]
