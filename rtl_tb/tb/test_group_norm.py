"""cocotb tests of group_norm."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.group_norm import PLAN

globals().update(checks.tests(PLAN, __name__))
