"""Hints on results made by hand: what explains all, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hw_models import Accumulator
from hw_models.schemes import FixedPoint
from qsim.cosim.explaining import explain
from qsim.cosim.findings import findings
from qsim.cosim.jobs import Job
from qsim.cosim.jobs.makers import job
from qsim.cosim.lanes import Difference, LaneResult, Stimulus
from qsim.golden import Case
from tests.qsim.cosim.jobs import array_cases as arrays
from tests.qsim.cosim.jobs import elementwise_cases as one

TARGET = arrays.target(2, 2)
RANDOM = np.random.default_rng(1)


def hints(case: Case, change: Any, *, kept: int | None = None, unknown: Sequence[int] = ()) -> Any:
    """Return the hints for results [beats, lanes] that a function makes of the expected ones."""
    made = job(case, TARGET)
    expected = made.unit.outputs.unpack(made.expected)[made.field]
    actual = change(expected.copy())
    result = lane_result(made, made.unit.outputs.pack({made.field: actual}, len(actual)), unknown)
    if kept is not None:
        result = LaneResult(**{**fields(result), "differences": result.differences[:kept]})
    first = findings(made, result).mismatch
    told = explain((case,), made, result, first, TARGET, None, Stimulus())
    return () if told is None else told.hints


def fields(result: LaneResult) -> dict[str, Any]:
    return {name: getattr(result, name) for name in LaneResult.__slots__}


def lane_result(made: Job, actual: Any, unknown: Sequence[int]) -> LaneResult:
    layout = made.unit.outputs
    texts = [[line.decode() for line in layout.to_hex(words, made.expected_last * 0).split()]
             for words in (made.expected, actual)]  # fmt: skip
    digits = -(-layout.width // 4)
    differences = []
    for beat, (wanted, found) in enumerate(zip(*texts, strict=True)):
        text = "b" + "x" * layout.width if beat in unknown else found[-digits:]
        if text != wanted[-digits:]:
            differences.append(Difference(beat, beat, wanted[-digits:], text, "0", "0"))
    count = len(made.expected)
    return LaneResult(
        count, len(made.beats), count, count, len(differences), tuple(differences), (), 0.1
    )


def sums(seed: int = 0) -> Case:
    acc = np.random.default_rng(seed).integers(-30_000, 30_000, (1, 4, 25))
    return one.bias_add(acc, np.array([9, -400, 70, 1000]), Accumulator(32))


def rolled(by: int) -> Any:
    return lambda values: np.roll(values, by, axis=0)


def test_rows_of_an_array_that_change_places() -> None:
    case = arrays.correlation((1, 2, 4, 4), (4, 2, 2, 2))
    (said,) = hints(case, lambda values: values[:, ::-1])
    assert "the 2 lanes of a beat are reversed" in said
    assert hints(case, lambda values: np.concatenate([values[:9, ::-1], values[9:]])) == ()


def test_rows_of_an_array_of_which_a_part_is_used() -> None:
    """One output on two rows, at the other one: what is looked at is always 0."""
    case = arrays.correlation((1, 2, 4, 4), (1, 2, 2, 2))
    (said,) = hints(case, lambda values: values[:, ::-1])
    assert "the 2 lanes of a beat are reversed" in said


def test_results_of_other_beats() -> None:
    (late,) = hints(sums(), rolled(2))
    assert "one explanation of all 100 differences: results are 2 beats late" in late
    (early,) = hints(sums(), rolled(-1))
    assert "results are 1 beat early (the last 1 of them belong to no beat of the call)" in early
    (unknown,) = hints(sums(), rolled(2), unknown=(0, 1))
    assert "results are 2 beats late" in unknown


def test_one_more_unknown_result_is_not_late() -> None:
    assert hints(sums(), rolled(2), unknown=(0, 1, 40)) == ()


def test_differences_that_were_not_kept_are_not_explained() -> None:
    assert hints(sums(), rolled(2), kept=50) == ()


def test_few_differences_are_no_evidence() -> None:
    def two(values: Any) -> Any:
        values[3:5] = np.abs(values[3:5])
        return values

    case = one.bias_add(np.arange(100).reshape(1, 4, 25) - 5, np.zeros(4, int), Accumulator())
    made = hints(case, lambda values: np.where(values < -3, np.abs(values), values))
    assert made == ()
    assert hints(case, two) == ()


def test_the_absolute_value() -> None:
    (said,) = hints(sums(), np.abs)
    assert "the sign of the result is lost" in said
    assert hints(sums(), lambda values: np.where(values < -20_000, values, np.abs(values))) == ()


def test_bytes_of_the_result() -> None:
    def swapped(values: Any) -> Any:
        return values.astype(">i4").view("<i4").astype(np.int64)

    (said,) = hints(sums(), swapped)
    assert "the 4 bytes of each result are reversed" in said


def test_multipliers_of_the_channel_before() -> None:
    acc = RANDOM.integers(-30_000, 30_000, (1, 5, 20))
    multipliers = (1 << 30, 1518500250, 1 << 29, 1900000000, 1100000000)
    shifts = (39, 38, 37, 40, 39)
    right = one.requantize(acc, FixedPoint(multipliers, shifts))

    def before(table: tuple[int, ...]) -> tuple[int, ...]:
        return (table[0], *table[:-1])

    late = one.requantize(acc, FixedPoint(before(multipliers), before(shifts)))
    (said,) = hints(right, lambda _: late.expected.reshape(-1, 1).astype(np.int64))
    assert "one set late (multiplier, shift)" in said
    half = one.requantize(acc, FixedPoint(before(multipliers), shifts))
    (said,) = hints(right, lambda _: half.expected.reshape(-1, 1).astype(np.int64))
    assert "one set late (multiplier)" in said
    mixed = half.expected.copy()
    mixed[0, 2] = right.expected[0, 2] ^ 1
    assert hints(right, lambda _: mixed.reshape(-1, 1).astype(np.int64)) == ()
