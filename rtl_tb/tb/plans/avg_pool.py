"""What is to be covered of avg_pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtl_tb.tb import arithmetic
from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Job, Values


def sample(
    beats: Sequence[Values], _results: Sequence[Values], _parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one window reaches, in any of its lanes."""
    yield "one_tap" if len(beats) == 1 else "several_taps"
    for lane in range(len(beats[0]["x"])):
        total = sum(beat["x"][lane] for beat in beats)
        yield f"sum_{arithmetic.sign(total)}"
        yield from arithmetic.ties(total, len(beats))
        if total % len(beats) == 0 and len(beats) > 1:
            yield "exact"


def impossible(job: Job) -> Mapping[str, str]:
    """Unsigned codes have no negative sums."""
    if job.parameters["IN_SIGNED"]:
        return {}
    return dict.fromkeys(("sum_negative", "tie_negative"), "the codes are unsigned")


PLAN = Plan(
    bins=(
        "one_tap",
        "several_taps",
        "sum_negative",
        "sum_zero",
        "sum_positive",
        "tie_negative",
        "tie_positive",
        "exact",
    ),
    sample=sample,
    impossible=impossible,
    packets=True,
)
