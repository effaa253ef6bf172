"""cocotb tests of requantize."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.requantize import PLAN

globals().update(checks.tests(PLAN, __name__))
