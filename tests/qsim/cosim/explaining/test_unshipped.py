"""First differences of primitives without RTL here: operands, and steps where they are told."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.tracing import choose
from qsim import Target
from qsim.cosim.explaining.operands import operands, traced, values_of
from qsim.cosim.explaining.unshipped import unshipped
from qsim.cosim.jobs import Job, bindable, vectors
from qsim.golden import Case

TOLD = ("mul", "sub", "prelu", "minimum", "maximum", "shift_right", "mean", "concat")


def sampled(primitive: str, name: str) -> list[tuple[Case, Job, int, int]]:
    """Some results of the vectors of a primitive: case, job, beat and lane of each."""
    target, rng = Target.load(name), np.random.default_rng(len(primitive))
    found = []
    for case in vectors(primitive, target, 0, None):
        job = bindable(case, target)
        for element in rng.integers(job.elements, size=8):
            beat, lane = (int(i) for i in np.argwhere(job.element == element)[0])
            found.append((case, job, beat, lane))
    return found


@pytest.mark.parametrize("target", ["tflite", "q7", "narrow20"])
@pytest.mark.parametrize("primitive", TOLD)
def test_steps_end_in_what_is_expected(primitive: str, target: str) -> None:
    if not Target.load(target).has(primitive):
        pytest.skip(f"{target} has no {primitive}")
    for case, job, beat, lane in sampled(primitive, target):
        definition = unshipped(case)
        assert definition is not None
        values = values_of(job, beat, lane)
        steps, value = traced(definition, values)
        expected = int(job.unit.outputs.unpack(job.expected)[job.field][beat, lane])
        assert value == expected
        assert steps[-1].value == expected
        assert int(definition.compute(values, choose)) == expected


def test_float_schemes_have_no_steps_in_integers() -> None:
    (case, job, beat, lane), *_ = sampled("mul", "onnxruntime")
    definition = unshipped(case)
    assert definition is not None
    values = values_of(job, beat, lane)
    with pytest.raises(KeyError):
        traced(definition, values)
    assert {each.name for each in operands(job, values)} >= {"a", "b"}


def test_a_result_of_a_packet_shows_the_packet() -> None:
    (case, job, beat, lane), *_ = sampled("softmax", "tflite")
    assert unshipped(case) is None
    shown = operands(job, values_of(job, beat, lane))
    row = beat // job.unit.packet
    given = job.unit.inputs.unpack(job.beats)["x"].reshape(-1, job.unit.packet)[row]
    assert [each.value for each in shown if each.name.startswith("x[")] == given.tolist()
