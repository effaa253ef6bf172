"""What is to be covered of group_norm."""

from __future__ import annotations

from rtl_tb.tb.plans.norms import PLAN

__all__ = ["PLAN"]
