"""cocotb tests of add."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.add import PLAN

globals().update(checks.tests(PLAN, __name__))
