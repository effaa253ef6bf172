"""cocotb tests of max_pool."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.max_pool import PLAN

globals().update(checks.tests(PLAN, __name__))
