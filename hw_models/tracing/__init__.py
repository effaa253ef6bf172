"""What a definition did with one element, step by step, told by the values that it computed."""

from __future__ import annotations

from hw_models.tracing.steps import Step, steps
from hw_models.tracing.values import Condition, Table, Traced, choose, outlined, step

__all__ = ["Condition", "Step", "Table", "Traced", "choose", "outlined", "step", "steps"]
