"""Two programs, operator by operator, bit by bit."""

from __future__ import annotations

from qsim.executorch.comparing.comparison import Comparison, Row, compare

__all__ = ["Comparison", "Row", "compare"]
