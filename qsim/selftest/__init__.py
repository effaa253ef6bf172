"""``qsim doctor --self-test``: every kernel against the definitions, on all kinds of processors."""

from __future__ import annotations

from qsim.selftest.examining import Outcome, Row, examine
from qsim.selftest.paths import Path, paths

__all__ = ["Outcome", "Path", "Row", "examine", "paths"]
