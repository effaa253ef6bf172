"""Built-in models on targets: the command stream equals the interpreter."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from qsim.lowering import lower
from qsim.network.lowered import Lowered
from qsim.quantizer import quantize
from qsim.target import Target
from tests import networks

pytestmark = pytest.mark.usefixtures("one_thread")
# The large ones have the same operators, and a hundred times the products.
SMALL = [known.name for known in networks.IMAGES if known.name not in ("resnet18", "mobilenet_v2")]
# The main target for each model, and for one model one target of each way through the loop. Of
# more pairs tests/qsim/models asks it, of a batch of 1.
EARLY = [(name, "tflite") for name in SMALL]
EARLY += [("digits", target) for target in ("q7", "onnxruntime", "narrow20", "tflite-int16x8")]
CASES = [
    pytest.param(name, target, marks=[] if (name, target) in EARLY else [pytest.mark.soak])
    for name in SMALL
    for target in networks.STATIC
]


@lru_cache(maxsize=1)
def lowered_for(name: str, target: str) -> Lowered:
    """A network that is calibrated on two inputs: which scales it has is not the question."""
    model, loaded = networks.model(name), Target.load(target)
    batch = (model.calibration or [model.example_inputs])[0]
    few = [tuple(x[:2] for x in batch)]
    return lower(
        quantize(networks.captured(name), model.example_inputs, loaded, calibration=few), loaded
    )


@pytest.mark.parametrize(("name", "target"), CASES)
def test_stream_equals_interpreter(name: str, target: str) -> None:
    lowered = lowered_for(name, target)
    samples = networks.model(name).samples
    assert samples is not None
    x = np.asarray(samples[0])[:3]
    trace = lowered.trace(x)
    (wanted,) = trace.outputs
    np.testing.assert_array_equal(lowered(x), wanted)
    np.testing.assert_array_equal(lowered(x[:1]), wanted[:1])
    np.testing.assert_array_equal(lowered.trace(x[:1]).outputs[0], wanted[:1])
    if target == "tflite":
        check_nothing_leaves_the_loop(lowered)


def check_nothing_leaves_the_loop(lowered: Lowered) -> None:
    """The main target's primitives are all commands."""
    for program in lowered.programs:
        left = [c.reason for c in program.stream().compiled.commands if c.op is None]
        assert left == []


def test_every_small_model_is_tried_on_the_main_target() -> None:
    assert {name for name, target in EARLY if target == "tflite"} == set(SMALL)
    assert len(EARLY) == sum(not case.marks for case in CASES)
