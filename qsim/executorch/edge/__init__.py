"""Edge programs, run in Python: every delegate on its Python model."""

from __future__ import annotations

from qsim.executorch.edge.running import run_edge
from qsim.executorch.edge.sizes import is_known, is_size

__all__ = ["is_known", "is_size", "run_edge"]
