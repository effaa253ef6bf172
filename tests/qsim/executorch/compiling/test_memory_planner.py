"""Our planners against ExecuTorch's greedy one, on the same buffers: every built-in model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qsim.errors import ModelError
from qsim.executorch import QsimPartitioner, export
from qsim.executorch.adapter import greedy_bytes
from qsim.lowering import lower
from qsim.memory import Buffer, Space, plan
from qsim.quantizer import quantize
from qsim.target import Target
from tests import networks
from tests.qsim.executorch.edges import network, to_edge

LARGE = ("resnet18", "mobilenet_v2")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(known.name, marks=[pytest.mark.soak] if known.name in LARGE else [])
        for known in networks.IMAGES
    ],
)
def test_never_larger_than_executorch(name: str) -> None:
    model, target = networks.model(name), Target.load("tflite")
    calibration = [tuple(value[:1] for value in model.example_inputs)]
    lowered = lower(quantize(model.module, model.example_inputs, target, calibration=calibration))
    for program in lowered.programs:
        ours = program.plan()
        theirs = greedy_bytes(ours.buffers.values(), target.memory.alignment)
        assert ours.bound <= ours.size <= theirs
        # No built-in model loses a byte.
        assert ours.size == ours.bound


def test_a_delegate_that_does_not_fit_is_refused() -> None:
    plain, lowered = network("Residual", "tflite")
    (need,) = (program.plan().bound for program in lowered.programs)
    for size in (need, need - 1):
        memory = replace(plain.target.memory, bytes=size, alignment=1)
        partitioner = QsimPartitioner(replace(plain.target, memory=memory))
        exported = export(plain, batch=1)
        if size == need:
            to_edge(exported, partitioner)
        else:
            with pytest.raises(ModelError, match=r"live at once, 1 more than the memory has"):
                to_edge(exported, partitioner)


def test_random_buffers() -> None:
    """In sum: neither planner is the smaller one on every network."""
    rng = np.random.default_rng(0)
    ours = theirs = 0
    for _ in range(100):
        starts = rng.integers(0, 20, 15)
        buffers = [
            Buffer(f"t{i}", int(rng.integers(1, 64)) * 16, int(s), int(s + rng.integers(0, 6)))
            for i, s in enumerate(starts)
        ]
        ours += plan(buffers, Space(alignment=16)).size
        theirs += greedy_bytes(buffers, 16)
    assert ours < theirs
