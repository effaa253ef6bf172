"""Where the tensors of a Program lie in one memory."""

from qsim.memory.planner import Buffer, Plan, plan

__all__ = ["Buffer", "Plan", "plan"]
