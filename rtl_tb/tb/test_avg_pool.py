"""cocotb tests of avg_pool."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.avg_pool import PLAN

globals().update(checks.tests(PLAN, __name__))
