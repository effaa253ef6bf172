"""What is to be covered of requantize."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from rtl_tb.tb import arithmetic
from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Values


def sample(
    beats: Sequence[Values], _results: Sequence[Values], parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one requantization reaches."""
    beat = {name: lanes[0] for name, lanes in beats[0].items()}
    scheme, shift = parameters["SCHEME"], beat["shift"]
    x, multiplier = beat["acc"] - beat["input_zero_point"], beat.get("multiplier", 1)
    addend, mul_w = beat.get("addend", 0), parameters.get("MUL_W", 0)
    yield f"operand_{arithmetic.sign(x)}"
    yield from arithmetic.rescale_ties(x, multiplier, addend, shift, scheme, mul_w)
    value = (x * multiplier + addend) * Fraction(2) ** -shift + beat["zero_point"]
    yield from arithmetic.range_bins(value, beat["low"], beat["high"])


PLAN = Plan(
    bins=(
        "tie_negative",
        "tie_positive",
        "saturates_low",
        "saturates_high",
        "inside",
        "operand_negative",
        "operand_zero",
        "operand_positive",
    ),
    sample=sample,
)
