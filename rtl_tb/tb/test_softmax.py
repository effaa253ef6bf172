"""cocotb tests of softmax."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.softmax import PLAN

globals().update(checks.tests(PLAN, __name__))
