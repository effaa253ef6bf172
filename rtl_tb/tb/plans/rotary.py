"""What is to be covered of rotary."""

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
    """Yield the bins that one pair reaches, in either of its sums."""
    beat = {name: lanes[0] for name, lanes in beats[0].items()}
    yield f"cos_{arithmetic.sign(beat['cos'])}"
    yield f"sin_{arithmetic.sign(beat['sin'])}"
    a, b = (beat[name] - beat["x_zero_point"] for name in ("a", "b"))
    scheme, shift = parameters["SCHEME"], beat["shift"]
    multiplier, addend = beat.get("multiplier", 1), beat.get("addend", 0)
    for total in (a * beat["cos"] - b * beat["sin"], b * beat["cos"] + a * beat["sin"]):
        x = total - beat["offset"]
        yield from arithmetic.rescale_ties(
            x, multiplier, addend, shift, scheme, parameters.get("MUL_W", 0)
        )
        value = (x * multiplier + addend) * Fraction(2) ** -shift + beat["zero_point"]
        yield from arithmetic.range_bins(value, beat["low"], beat["high"])


PLAN = Plan(
    bins=(
        *(f"{name}_{sign}" for name in ("cos", "sin") for sign in ("negative", "zero", "positive")),
        "tie_negative",
        "tie_positive",
        "saturates_low",
        "saturates_high",
        "inside",
    ),
    sample=sample,
)
