"""What is to be covered of softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Values


def sample(
    beats: Sequence[Values], results: Sequence[Values], _parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one row reaches."""
    codes = [beat["x"][0] for beat in beats]
    shares = [result["y"][0] - beats[0]["low"][0] for result in results]
    yield "one_code" if len(codes) == 1 else "several_codes"
    if len(codes) > 1:
        largest = max(codes)
        if min(codes) == largest:
            yield "all_equal"
        else:
            yield from (("largest_first",) if codes[0] == largest else ())
            yield from (("largest_last",) if codes[-1] == largest else ())
        yield from (("probability_of_0",) if 0 in shares else ())
    if beats[0]["high"][0] - beats[0]["low"][0] in shares:
        yield "probability_of_1"


PLAN = Plan(
    bins=(
        "one_code",
        "several_codes",
        "all_equal",
        "largest_first",
        "largest_last",
        "probability_of_0",
        "probability_of_1",
    ),
    sample=sample,
    packets=True,
)
