"""The built-in models, quantized by qsim and converted: every tensor in LiteRT equals qsim's."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

import qsim
from hw_models.quantize import quantize
from tests import networks
from tests.peers.evidence.observed import compared
from tests.peers.litert.convert import Converter
from tests.peers.litert.run import KERNELS, run

if TYPE_CHECKING:
    from hw_models import Ledger
    from qsim.models.spec import Model
    from qsim.program.calls import Call
    from qsim.program.program import Program

# Images compared: a sample, then one of random codes; one of the 224x224 networks.
BATCHES = {
    "digits": 2,
    "resnet8": 2,
    "mobilenet_v1": 2,
    "ds_cnn": 2,
    "autoencoder": 2,
    "resnet18": 1,
    "mobilenet_v2": 1,
}
# Every operator of them is in the others; ONNX Runtime runs them in every run of the tests.
LARGE = ("resnet18", "mobilenet_v2")
TARGETS = {f"litert-{name}": name for name in KERNELS if name != "xnnpack"} | {"xnnpack": "xnnpack"}
# LiteRT makes these, the bias and the requantize in one operator: nobody can read the sums.
SUMS = {"correlation", "linear", "bias_add"}
NOT_XNNPACK = {"AVERAGE_POOL_2D", "PADV2"}


def entry_codes(model: Model, program: Program, batch: int) -> np.ndarray:
    spec = program.tensors[program.inputs[0]]
    assert model.samples is not None
    samples, _ = model.samples
    sample = quantize(samples[:1].numpy(), spec.scale, spec.zero_point)
    codes = np.random.default_rng(1).integers(-128, 128, (batch - 1, *sample.shape[1:]))
    return np.concatenate([sample, codes.astype(np.int8)])


def trace(program: Program, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return every tensor of codes that the Program makes, images channels last."""
    kept: dict[str, np.ndarray] = {}

    def keep(call: Call, codes: np.ndarray, ledger: Ledger) -> None:
        if call.primitive not in SUMS:
            kept[call.output] = channels_last(codes)

    program.run(x, trace=keep)
    return kept


def channels_last(codes: np.ndarray) -> np.ndarray:
    return codes.transpose(0, 2, 3, 1) if codes.ndim == 4 else codes


def add_borders(converted: Converter, values: dict[str, np.ndarray]) -> None:
    """Add what the converter made of its own: images with a border, of real 0 or a stated code."""
    for name, _, inputs, output in converted.model.operators:
        if name in ("PAD", "PADV2"):
            x, sizes, *code = inputs
            value = code[0].data if code else x.zero_point
            values[output.name] = np.pad(values[x.name], sizes.data, constant_values=value)


@pytest.mark.peer(
    "LiteRT reference",
    ["correlation", "linear", "bias_add", "requantize", "add", "max_pool", "avg_pool", "reshape"],
    ["litert-reference"],
    name="digits",
)
@pytest.mark.peer(
    "LiteRT optimized",
    ["correlation", "linear", "bias_add", "requantize", "add", "max_pool", "avg_pool", "reshape"],
    ["litert-optimized"],
    name="digits",
)
@pytest.mark.peer(
    "LiteRT with XNNPACK",
    ["correlation", "linear", "bias_add", "requantize", "add", "max_pool", "avg_pool", "reshape"],
    ["xnnpack"],
    name="digits",
)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.soak] * (n in LARGE)) for n in BATCHES]
)
def test_every_tensor(name: str) -> None:
    """Each kernel set gives the trace of the network lowered for the target of that name."""
    model = networks.model(name)
    target = qsim.Target.load("tflite")
    assert model.calibration
    few = [(model.calibration[0][0][:2],)]
    graph = networks.captured(name)
    quantized = qsim.quantize(graph, model.example_inputs, target, calibration=few)
    (program,) = qsim.lower(quantized, target).programs
    converted = Converter(program, BATCHES[name])
    entry = converted.tensors[program.inputs[0]].name
    x = entry_codes(model, program, BATCHES[name])
    images = np.ascontiguousarray(channels_last(x))
    results = {}
    for chosen, kernels in TARGETS.items():
        own = qsim.Target.load(chosen)
        (lowered,) = qsim.lower(quantized, own).programs
        compared(lowered, own)
        expected = trace(lowered, x)
        add_borders(converted, values := {entry: images, **expected})
        del values[entry]
        actual, left_over = run(converted.model, images, kernels=kernels)
        assert kernels != "xnnpack" or left_over <= NOT_XNNPACK
        assert actual.keys() == values.keys()
        for tensor, codes in actual.items():
            np.testing.assert_array_equal(codes, values[tensor], f"{chosen}: {tensor}")
        # As shipped: only the last tensor can be read, and qsim runs its command stream.
        shipped, _ = run(converted.model, images, kernels=kernels, every=False)
        np.testing.assert_array_equal(shipped[lowered.outputs[0]], lowered.run(x)[0], chosen)
        results[kernels] = expected
    assert any(
        (results[a][tensor] != results[b][tensor]).any()
        for a, b in combinations(KERNELS, 2)
        for tensor in results[a]
    ), "the three arithmetics are told apart"
