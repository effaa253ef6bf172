"""Built-in models on targets: the command stream equals the interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from qsim.lowering import lower
from qsim.models.registry import builtin
from qsim.models.spec import load
from qsim.quantizer import quantize
from qsim.target import Target

pytestmark = pytest.mark.usefixtures("one_thread")
# The large ones have the same operators, and a hundred times the products.
SMALL = [known.name for known in builtin() if known.name not in ("resnet18", "mobilenet_v2")]
# Every target for one model; for the others, one target of each way through the loop.
CASES = [("digits", target) for target in Target.names()]
CASES += [(n, t) for n in SMALL[1:] for t in ("tflite", "q7", "onnxruntime", "narrow20")]


@pytest.mark.parametrize(("name", "target"), CASES)
def test_stream_equals_interpreter(name: str, target: str) -> None:
    model, loaded = load(name), Target.load(target)
    calibration = list(model.calibration or [model.example_inputs])[:1]
    lowered = lower(
        quantize(model.module, model.example_inputs, loaded, calibration=calibration), loaded
    )
    assert model.samples is not None
    x = np.asarray(model.samples[0])[:3]
    for batch in (1, 3):
        trace = lowered.trace(x[:batch])
        made = lowered(x[:batch])
        np.testing.assert_array_equal(made, trace.outputs[0])


@pytest.mark.parametrize("name", SMALL)
def test_nothing_of_the_main_target_leaves_the_loop(name: str) -> None:
    model, loaded = load(name), Target.load("tflite")
    calibration = list(model.calibration or [model.example_inputs])[:1]
    lowered = lower(
        quantize(model.module, model.example_inputs, loaded, calibration=calibration), loaded
    )
    for program in lowered.programs:
        left = [c.reason for c in program.stream().compiled.commands if c.op is None]
        assert left == []
