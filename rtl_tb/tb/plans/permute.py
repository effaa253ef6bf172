"""What is to be covered of permute."""

from __future__ import annotations

from rtl_tb.tb.plans.moves import plan

PLAN = plan("out_of_order")
