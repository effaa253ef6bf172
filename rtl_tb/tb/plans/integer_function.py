"""What is to be covered of integer_function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtl_tb.tb import arithmetic
from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Values


def sample(
    beats: Sequence[Values], results: Sequence[Values], _parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one code reaches."""
    beat, y = beats[0], results[0]["y"][0]
    yield f"operand_{arithmetic.sign(beat['code'][0] - beat['origin'][0])}"
    yield "at_a_limit" if y in (beat["low"][0], beat["high"][0]) else "inside"


PLAN = Plan(
    bins=("operand_negative", "operand_zero", "operand_positive", "at_a_limit", "inside"),
    sample=sample,
)
