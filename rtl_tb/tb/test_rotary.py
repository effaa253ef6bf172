"""cocotb tests of rotary."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.rotary import PLAN

globals().update(checks.tests(PLAN, __name__))
