"""cocotb tests of integer_function."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.integer_function import PLAN

globals().update(checks.tests(PLAN, __name__))
