"""cocotb tests of requantize, and what is to be covered of it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cocotb

from rtl_tb.tb import arithmetic, checks
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


@cocotb.test()
async def full_rate(top: Any) -> None:
    """All beats at full rate."""
    await checks.full_rate(top, PLAN)


@cocotb.test()
async def random_stalls(top: Any) -> None:
    """Valid and ready low at random."""
    await checks.random_stalls(top, PLAN)


@cocotb.test()
async def ready_after_valid(top: Any) -> None:
    """A receiver that waits for tvalid."""
    await checks.ready_after_valid(top, PLAN)


@cocotb.test()
async def reset_in_midstream(top: Any) -> None:
    """A reset at any beat."""
    await checks.reset_in_midstream(top, PLAN)


@cocotb.test()
async def back_to_back(top: Any) -> None:
    """Packets without a pause."""
    await checks.back_to_back(top, PLAN)


@cocotb.test()
async def single(top: Any) -> None:
    """One beat alone."""
    await checks.single(top, PLAN)
