"""What is to be covered of strided_slice."""

from __future__ import annotations

from rtl_tb.tb.plans.moves import plan

PLAN = plan("base", "backward", "repeated", "all_dimensions", "one_result")
