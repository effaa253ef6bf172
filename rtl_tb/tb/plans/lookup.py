"""What is to be covered of lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
