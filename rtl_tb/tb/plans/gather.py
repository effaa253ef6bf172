"""What is to be covered of gather."""

from __future__ import annotations

from rtl_tb.tb.plans.moves import plan

PLAN = plan("position", "first_position", "position_again", "positions_fall", "one_result")
