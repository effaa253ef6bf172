"""cocotb tests of layer_norm."""

from __future__ import annotations

from rtl_tb.tb import checks
from rtl_tb.tb.plans.layer_norm import PLAN

globals().update(checks.tests(PLAN, __name__))
