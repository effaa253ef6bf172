"""What is to be covered of max_pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Job, Values


def sample(
    beats: Sequence[Values], results: Sequence[Values], _parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one window reaches, in any of its lanes."""
    yield "one_tap" if len(beats) == 1 else "several_taps"
    for lane, largest in enumerate(results[0]["y"]):
        taps = [beat["x"][lane] for beat in beats]
        if len(taps) > 1 and min(taps) < largest:
            yield from (("largest_first",) if taps[0] == largest else ())
            yield from (("largest_last",) if taps[-1] == largest else ())
        elif len(taps) > 1:
            yield "all_equal"
        if largest < 0:
            yield "all_negative"
        elif min(taps) < 0 < largest:
            yield "both_signs"


def impossible(job: Job) -> Mapping[str, str]:
    """Unsigned codes have one sign."""
    if job.parameters["IN_SIGNED"]:
        return {}
    return dict.fromkeys(("all_negative", "both_signs"), "the codes are unsigned")


PLAN = Plan(
    bins=(
        "one_tap",
        "several_taps",
        "largest_first",
        "largest_last",
        "all_equal",
        "all_negative",
        "both_signs",
    ),
    sample=sample,
    impossible=impossible,
    packets=True,
)
