"""Beats of primitives without RTL: what they hold is enough to compute what must come out."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hw_models.argmax import argmax
from hw_models.rounding import round_shift
from hw_models.schemes import FixedPoint
from qsim.cosim import jobs
from qsim.golden import Case, directed, samples
from qsim.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.jobs import Job


@cache
def made(primitive: str, target: str = "tflite") -> tuple[tuple[Case, Job], ...]:
    contract = Target.load(target)
    maker = samples if primitive in samples.PRIMITIVES else directed
    found = maker.cases(primitive, contract, 0, 40)
    return tuple((case, jobs.bindable(case, contract)) for case in found)


def beats(job: Job) -> Iterator[dict[str, list[int]]]:
    values = job.unit.inputs.unpack(job.beats)
    for row in range(len(job.beats)):
        yield {name: [int(v) for v in array[row]] for name, array in values.items()}


def one(beat: dict[str, list[int]]) -> dict[str, int]:
    return {name: value[0] for name, value in beat.items()}


def packets(job: Job) -> Iterator[list[dict[str, int]]]:
    packet: list[dict[str, int]] = []
    for beat, last in zip(beats(job), job.last, strict=True):
        packet.append(one(beat))
        if last:
            yield packet
            packet = []


def expected(job: Job) -> list[int]:
    return [int(v) for v in job.unit.outputs.unpack(job.expected)[job.field][:, 0]]


def rescaled(value: int, beat: dict[str, int]) -> int:
    scheme = FixedPoint(beat["multiplier"], beat["shift"], "double", 32)
    code = int(scheme.reference(value)) + beat["zero_point"]
    return min(max(code, beat["low"]), beat["high"])


def product(beat: dict[str, int]) -> int:
    a, b = beat["a"] - beat["a_zero_point"], beat["b"] - beat["b_zero_point"]
    return rescaled(a * b, beat)


def steep(beat: dict[str, int]) -> int:
    value = beat["x"] - beat["x_zero_point"]
    side = "positive" if value >= 0 else "negative"
    names = {name: beat[f"{side}_{name}"] for name in ("multiplier", "shift")}
    slope = beat["slopes"] - beat["slopes_zero_point"]
    return rescaled(value if value >= 0 else value * slope, beat | names)


def joined(beat: dict[str, int]) -> int:
    return beat["x"] if beat["copy"] else rescaled(beat["x"] - beat["x_zero_point"], beat)


ELEMENTS: dict[str, Any] = {
    "mul": product,
    "prelu": steep,
    "concat": joined,
    "minimum": lambda beat: min(beat["a"], beat["b"]),
    "maximum": lambda beat: max(beat["a"], beat["b"]),
}


@pytest.mark.parametrize("primitive", ELEMENTS)
def test_a_beat_has_all_that_its_result_needs(primitive: str) -> None:
    for _, job in made(primitive):
        assert [ELEMENTS[primitive](one(beat)) for beat in beats(job)] == expected(job)


def test_a_difference_is_an_addition_of_the_term_below_zero() -> None:
    def value(beat: dict[str, int], name: str, of: int) -> int:
        multiplier, shift = beat[f"{name}_multiplier"], beat[f"{name}_shift"]
        return int(FixedPoint(multiplier, shift, "double", 32).reference(of))

    for case, job in made("sub"):
        operand = case.attributes["negate"] == "operand"
        for beat, code in zip(map(one, beats(job)), expected(job), strict=True):
            a, b = (beat[n] - beat[f"{n}_zero_point"] << 20 for n in ("a", "b"))
            second = value(beat, "b", -b) if operand else -value(beat, "b", b)
            total = value(beat, "out", value(beat, "a", a) + second) + beat["zero_point"]
            assert min(max(total, beat["low"]), beat["high"]) == code


def test_a_pixel_is_the_weighted_sum_of_four() -> None:
    for primitive in ("resize", "resize_scaled"):
        for _, job in made(primitive):
            for beat, code in zip(beats(job), expected(job), strict=True):
                rows, columns = beat["row_weight"], beat["column_weight"]
                pairs = [(row, column) for row in rows for column in columns]
                total = sum(r * c * x for (r, c), x in zip(pairs, beat["x"], strict=True))
                assert int(round_shift(total, beat["shift"][0], "half_away")) == code


def a_search_for_the_last() -> Job:
    """Return the job of a drawn case, of whose equal maxima the last counts."""
    case, _ = made("argmax")[0]
    found = argmax(case.operands["x"], 1, last=True)
    assert (found != case.expected).any()
    asked = dataclasses.replace(case, attributes={**case.attributes, "last": True}, expected=found)
    return jobs.bindable(asked, Target.load("tflite"))


def test_a_packet_is_a_reduction() -> None:
    for _, job in made("argmax"):
        for packet, code in zip(packets(job), expected(job), strict=True):
            row = [beat["x"] for beat in packet]
            assert row.index(max(row)) == code
            assert "select_last" not in packet[0]
    last = a_search_for_the_last()
    for packet, code in zip(packets(last), expected(last), strict=True):
        row = [beat["x"] for beat in packet]
        assert {beat["select_last"] for beat in packet} == {1}
        assert len(row) - 1 - row[::-1].index(max(row)) == code
    for _, job in made("mean"):
        for packet, code in zip(packets(job), expected(job), strict=True):
            total = sum(beat["x"] - beat["x_zero_point"] for beat in packet)
            assert rescaled(total, packet[0]) == code
    for _, job in made("transposed_correlation"):
        lengths = set()
        for packet, code in zip(packets(job), expected(job), strict=True):
            lengths.add(len(packet))
            assert code == sum(
                (b["x"] - b["x_zero_point"]) * (b["weight"] - b["weight_zero_point"])
                for b in packet
            )
        assert len(lengths) > 1  # strides leave sums with fewer products, and with none


def test_a_table_is_loaded_before_it_is_read() -> None:
    case, job = made("interpolate")[0]
    assert case.name.endswith("rounded")
    table: dict[int, int] = {}
    codes = iter(expected(job))
    for beat in map(one, beats(job)):
        if beat["load"]:
            table[beat["address"]] = beat["value"]
            continue
        index, rest = divmod(beat["x"] + 128, 16)
        step = round_shift((table[index + 1] - table[index]) * rest, 4, "half_up")
        assert table[index] + int(step) == next(codes)
    assert next(codes, None) is None


def test_packets_go_in_and_others_come_out() -> None:
    for primitive, length, results in (
        ("softmax", 10, 10), ("pad", 20, 48), ("permute", 60, 60), ("reshape", 60, 60),
    ):  # fmt: skip
        for case, job in made(primitive)[:1]:
            assert job.unit.packet == results
            assert list(np.flatnonzero(job.last)[:2] + 1) == [length, 2 * length][: job.last.sum()]
            assert job.expected_last.sum() == job.last.sum()
            x = job.unit.inputs.unpack(job.beats)["x"][:, 0]
            order = np.argsort(job.element[:, 0])
            assert np.array_equal(np.array(expected(job))[order], case.expected.reshape(-1))
            assert np.array_equal(x, case.operands["x"].reshape(-1))


def test_a_scheme_without_rtl_has_its_float_as_bits() -> None:
    target = Target.load("onnxruntime")
    case = next(iter(jobs.vectors("requantize", target, 0, None)))
    job = jobs.bindable(case, target)
    assert not job.unit.sources
    scale = job.unit.inputs.unpack(job.beats)["scale"][:, 0].astype(np.uint32).view(np.float32)
    acc = job.unit.inputs.unpack(job.beats)["acc"][:, 0]
    point = int(case.attributes["zero_point"])  # type: ignore[arg-type]
    form = case.formats["output"]
    for value, factor, code in zip(acc[:50], scale[:50], expected(job)[:50], strict=True):
        assert form.saturate(round(float(np.float32(value) * factor)) + point) == code


@pytest.mark.parametrize("target", ["q7", "tflite-int16x8", "pytorch", "tosa"])
def test_every_target_has_vectors_of_every_primitive(target: str) -> None:
    contract = Target.load(target)
    for primitive in samples.PRIMITIVES:
        for case in samples.cases(primitive, contract, 1, 10):
            assert jobs.bindable(case, contract).elements == case.size
