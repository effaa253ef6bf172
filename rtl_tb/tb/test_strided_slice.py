"""cocotb tests of strided_slice."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.strided_slice import PLAN

globals().update(checks.tests(PLAN, __name__))
