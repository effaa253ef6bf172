"""cocotb tests of conv_engine."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.conv_engine import PLAN

globals().update(checks.tests(PLAN, __name__))
