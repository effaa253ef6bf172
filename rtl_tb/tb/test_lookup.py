"""cocotb tests of lookup, and what is to be covered of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cocotb

from rtl_tb.tb import checks
from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Values


def sample(
    beats: Sequence[Values], _results: Sequence[Values], parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one reading beat reaches."""
    (address,) = beats[0]["address"]
    last = (1 << parameters["IN_W"]) - 1
    if address in (0, last):
        yield "first_address" if address == 0 else "last_address"
    yield "lower_half" if address <= last // 2 else "upper_half"


def loads(beat: Values) -> bool:
    """Return whether a beat writes the table, and so has no result."""
    return beat["load"] == (1,)


PLAN = Plan(
    bins=("first_address", "last_address", "lower_half", "upper_half"), sample=sample, skip=loads
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
