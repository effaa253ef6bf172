"""What is to be covered of bias_add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtl_tb.tb import arithmetic
from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Job, Values


def sample(
    beats: Sequence[Values], _results: Sequence[Values], parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one sum reaches."""
    (acc,), (bias,) = beats[0]["acc"], beats[0]["bias"]
    if acc and bias:
        yield f"{arithmetic.sign(acc)}_and_{arithmetic.sign(bias)}"
    else:
        yield "operand_zero"
    half = 1 << (parameters["SUM_W"] - 1)
    if acc + bias < -half:
        yield "overflow_low"
    elif acc + bias >= half:
        yield "overflow_high"
    elif acc + bias in (-half, half - 1):
        yield "sum_at_an_end"


def impossible(job: Job) -> Mapping[str, str]:
    """A sum that is wider than both operands cannot overflow."""
    if job.parameters["SUM_W"] > max(job.parameters["ACC_W"], job.parameters["BIAS_W"]):
        reason = "the sum is wider than both operands"
        return dict.fromkeys(("overflow_low", "overflow_high", "sum_at_an_end"), reason)
    return {}


PLAN = Plan(
    bins=(
        "negative_and_negative",
        "negative_and_positive",
        "positive_and_negative",
        "positive_and_positive",
        "operand_zero",
        "overflow_low",
        "overflow_high",
        "sum_at_an_end",
    ),
    sample=sample,
    impossible=impossible,
)
