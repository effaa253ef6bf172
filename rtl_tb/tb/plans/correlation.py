"""What is to be covered of correlation."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from rtl_tb.tb import arithmetic
from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Job, Values


def sample(
    beats: Sequence[Values], _results: Sequence[Values], parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one reduction reaches, in any of its rows."""
    yield "one_beat" if len(beats) == 1 else "several_beats"
    half = 1 << (parameters["ACC_W"] - 1)
    for row in range(parameters["ROWS"]):
        total = lowest = highest = 0
        for x, weight in _operands(beats, row, parameters["COLUMNS"]):
            if x and weight:
                yield f"{arithmetic.sign(x)}_times_{arithmetic.sign(weight)}"
            else:
                yield "operand_zero"
            total += x * weight
            lowest, highest = min(lowest, total), max(highest, total)
        # A mac sees every partial sum, the other kind of accumulator the whole one.
        ends = (lowest, highest) if parameters["AT"] else (total, total)
        yield from ("overflow_low",) if ends[0] < -half else ()
        yield from ("overflow_high",) if ends[1] >= half else ()


def _operands(beats: Sequence[Values], row: int, columns: int) -> Iterator[tuple[int, int]]:
    for beat in beats:
        weights = beat["weight"][row * columns : (row + 1) * columns]
        for x, weight in zip(beat["x"], weights, strict=True):
            yield x - beat["x_zero_point"][0], weight - beat["weight_zero_point"][row]


def impossible(job: Job) -> Mapping[str, str]:
    """A wide accumulator does not overflow in packets of a job's length."""
    parameters = job.parameters
    ends = [0, *(sent for sent, _ in job.packets)]
    longest = max(stop - start for start, stop in pairwise(ends))
    # The largest product: both operands at the far end from their zero points.
    product = ((1 << parameters["X_W"]) - 1) * ((1 << parameters["W_W"]) - 1)
    if longest * parameters["COLUMNS"] * product < 1 << (parameters["ACC_W"] - 1):
        reason = f"{parameters['ACC_W']} bits hold every sum of {longest} beats"
        return dict.fromkeys(("overflow_low", "overflow_high"), reason)
    return {}


PLAN = Plan(
    bins=(
        "one_beat",
        "several_beats",
        "negative_times_negative",
        "negative_times_positive",
        "positive_times_negative",
        "positive_times_positive",
        "operand_zero",
        "overflow_low",
        "overflow_high",
    ),
    sample=sample,
    impossible=impossible,
    packets=True,
)
