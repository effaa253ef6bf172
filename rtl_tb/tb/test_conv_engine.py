"""cocotb tests of conv_engine, and what is to be covered of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cocotb

from rtl_tb.tb import arithmetic, checks
from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Values

# By the number in the field `kind`.
_KINDS: Final = ("activation", "weights", "zero_points", "channel", "configuration", "start")


def sample(
    beats: Sequence[Values], results: Sequence[Values], _parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one image through a layer reaches."""
    for beat in beats:
        yield _KINDS[beat["kind"][0]]
    codes = [result["y"][0] for result in results]
    for code in codes:
        yield f"code_{arithmetic.sign(code)}"
    if min(codes) < max(codes):
        yield "codes_differ"


PLAN = Plan(
    bins=(*_KINDS, "code_negative", "code_zero", "code_positive", "codes_differ"),
    sample=sample,
    packets=True,
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
    """Images without a pause."""
    await checks.back_to_back(top, PLAN)


@cocotb.test()
async def single(top: Any) -> None:
    """The first image alone."""
    await checks.single(top, PLAN)
