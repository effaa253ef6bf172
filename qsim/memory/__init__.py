"""Where tensors lie in one memory. Nothing here knows what a network is."""

from __future__ import annotations

from qsim.memory.buffers import Buffer, Plan, busiest
from qsim.memory.planner import PLANNERS, Planner, best_fit, greedy_by_size, in_turn, plan, smallest
from qsim.memory.space import Space

__all__ = [
    "PLANNERS",
    "Buffer",
    "Plan",
    "Planner",
    "Space",
    "best_fit",
    "busiest",
    "greedy_by_size",
    "in_turn",
    "plan",
    "smallest",
]
