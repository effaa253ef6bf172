"""What is to be covered of conv_engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtl_tb.tb import arithmetic
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
