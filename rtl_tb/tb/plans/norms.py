"""What is to be covered of the norms, which run on one module: layer_norm, group_norm, rms_norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtl_tb.tb import arithmetic
from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Job, Values


def sample(
    beats: Sequence[Values], results: Sequence[Values], parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one row reaches."""
    codes = [beat["x"][0] - beat["x_zero_point"][0] for beat in beats]
    total = sum(codes) if parameters["CENTRED"] else 0
    count, guard, last = len(codes), parameters["GUARD"], beats[-1]
    yield "one_code" if count == 1 else "several_codes"
    exact = count * sum(c * c for c in codes) - total * total
    variance = max((exact << guard) + last["epsilon"][0], 1 << guard)
    if not exact:
        yield "no_variance_and_epsilon" if last["epsilon"][0] else "no_variance"
    yield "odd_length" if variance.bit_length() % 2 else "even_length"
    if parameters["CENTRED"]:
        yield f"sum_{arithmetic.sign(total)}"
    digits = 2 * parameters["ROOT_BITS"]
    places = (digits - variance.bit_length()) >> 1
    root = _root(variance << 2 * places if places > 0 else variance >> -2 * places)
    shift = digits - 1 - places - guard // 2 - last["fraction"][0]
    for c in codes:
        yield from arithmetic.ties((count * c - total) * ((1 << digits - 1) // root), 1 << shift)
    for beat, result in zip(beats, results, strict=True):
        yield f"weight_{arithmetic.sign(beat['weight'][0])}"
        if result["y"][0] in (beat["low"][0], beat["high"][0]):
            yield "saturates_low" if result["y"][0] == beat["low"][0] else "saturates_high"
        else:
            yield "inside"


def _root(n: int) -> int:
    """Return the floor of a root, by Newton's steps from above."""
    held = 1 << (n.bit_length() + 1) // 2
    while held * held > n:
        held = (held + n // held) // 2
    return held


def impossible(job: Job) -> Mapping[str, str]:
    """Without a mean there is no sum; a row of zeros alone has no variance then."""
    if job.parameters["CENTRED"]:
        return {}
    why = "the mean is not subtracted"
    return dict.fromkeys(("sum_negative", "sum_zero", "sum_positive"), why)


PLAN = Plan(
    bins=(
        "one_code",
        "several_codes",
        "no_variance",
        "no_variance_and_epsilon",
        "odd_length",
        "even_length",
        "sum_negative",
        "sum_zero",
        "sum_positive",
        "weight_negative",
        "weight_zero",
        "weight_positive",
        "tie_negative",
        "tie_positive",
        "saturates_low",
        "saturates_high",
        "inside",
    ),
    sample=sample,
    impossible=impossible,
    packets=True,
)
