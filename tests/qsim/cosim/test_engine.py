"""Whole layers through conv_engine: which calls are one layer, and that the codes agree."""

from __future__ import annotations

import dataclasses

import pytest

import qsim
from qsim import golden
from qsim.cosim import run
from qsim.cosim.jobs.conv_layer import layers
from tests.tree import GOLDEN, SCALER

LAYER = GOLDEN / "digits-layer"


def names(groups: object) -> list[list[str]]:
    return [[case.primitive for case in group] for group in groups]  # type: ignore[attr-defined]


def test_the_calls_of_a_layer_are_found() -> None:
    calls = list(golden.load(LAYER).cases)
    chain = ["correlation", "bias_add", "requantize"]
    assert chain in names(layers(calls))
    assert sum(len(group) for group in layers(calls)) == len(calls)


def test_other_values_are_no_layer() -> None:
    calls = list(golden.load(LAYER).cases)
    sums = next(i for i, case in enumerate(calls) if case.primitive == "correlation")
    calls[sums] = dataclasses.replace(calls[sums], expected=calls[sums].expected + 1)
    assert ["correlation"] in names(layers(calls))


@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_a_layer_agrees(stall: float) -> None:
    report = run(LAYER, simulator="icarus", engine=True, stall=stall)
    assert report.ok
    engines = [call for call in report.calls if call.primitive == "conv_engine"]
    assert engines
    apart = run(LAYER, simulator="icarus")
    results = {call.name: call.elements for call in apart.calls}
    assert all(call.elements in results.values() for call in engines)


def test_a_wrong_code_is_found_at_its_place() -> None:
    calls = list(golden.load(LAYER).cases)
    index = max(i for i, case in enumerate(calls) if case.primitive == "requantize")
    wrong = calls[index].expected.copy()
    where = tuple(size - 1 for size in wrong.shape)
    wrong[where] ^= 1
    calls[index] = dataclasses.replace(calls[index], expected=wrong)
    from qsim.cosim.runner import Settings, run_cases

    target = golden.load(LAYER).target
    report = run_cases(calls, target, Settings("icarus", engine=True), "changed")
    (call,) = report.differing
    assert call.primitive == "conv_engine"
    assert call.mismatches == 1
    assert call.first is not None
    assert call.first.index == where


def test_a_design_of_one_primitive_is_no_engine() -> None:
    dut = SCALER / "scaler.toml"
    with pytest.raises(qsim.UsageError, match="no engine of whole layers"):
        run(LAYER, simulator="icarus", engine=True, dut=dut)
