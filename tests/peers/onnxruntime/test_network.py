"""Whole networks in ONNX Runtime, in QDQ and in QOperator form: every tensor's codes are equal.

Two directions. ``test_qsim_network``: a network that qsim quantized for the target ``onnxruntime``,
written as ONNX. ``test_quantize_static``: one that ONNX Runtime's own tool quantized, replayed node
after node with hw_models.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from onnxruntime.quantization import QuantFormat, QuantType

import qsim
from qsim.network.trace import Trace
from tests import networks
from tests.peers.evidence.observed import compared
from tests.peers.onnxruntime.network_export import export, run_all
from tests.peers.onnxruntime.network_static import Replay, images, quantized_model

VNNI = torch.cpu._is_vnni_supported()
# They have the operators of the others, and a hundred times the products.
LARGE = ("resnet18", "mobilenet_v2")


def onnxruntime_target() -> qsim.Target:
    """The target; with weights of 7 bits on CPUs before VNNI, where MLAS saturates larger pairs."""
    target = qsim.Target.load("onnxruntime")
    if VNNI:
        return target
    document = target.to_dict()
    document["weight"]["bits"] = 7
    return qsim.Target.from_dict(document)


@lru_cache(maxsize=1)
def network(name: str) -> tuple[qsim.Quantized, qsim.network.lowered.Lowered, torch.Tensor, Trace]:
    model = networks.model(name)
    assert model.calibration
    assert model.samples
    samples = model.samples[0]
    assert isinstance(samples, torch.Tensor)
    target = onnxruntime_target()
    few = [(model.calibration[0][0][:2],)]
    graph = networks.captured(name)
    quantized = qsim.quantize(graph, model.example_inputs, target, calibration=few)
    x = torch.stack([samples[0], 1.5 * samples[1] - 0.25])
    lowered = qsim.lower(quantized)
    return quantized, lowered, x, lowered.trace(x)


@pytest.mark.peer(
    "ONNX Runtime",
    ["correlation", "linear", "bias_add", "requantize", "add", "max_pool", "avg_pool", "reshape"],
    ["onnxruntime"],
    name="digits",
)
@pytest.mark.parametrize(  # changes first: a network is quantized once for all three
    ("qdq", "optimized"),
    [(False, False), (False, True), (True, True)],
    ids=["qoperator-plain", "qoperator-optimized", "qdq-optimized"],
)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(known.name, marks=[pytest.mark.soak] if known.name in LARGE else [])
        for known in networks.IMAGES
    ],
)
def test_qsim_network(name: str, qdq: bool, optimized: bool) -> None:
    quantized, lowered, x, trace = network(name)
    actual = run_all(export(quantized, lowered, qdq=qdq), x, optimized=optimized)
    (program,) = lowered.programs
    compared(program, lowered.target)
    codes = [n for n, spec in program.tensors.items() if spec.scale is not None]
    assert set(actual) == set(codes)
    assert len(codes) > 10
    for tensor in codes:
        np.testing.assert_array_equal(actual[tensor], trace.tensors[tensor], tensor)


@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("form", list(QuantFormat), ids=lambda form: form.name)
def test_quantize_static(form: QuantFormat, per_channel: bool, tmp_path: Path) -> None:
    options = {
        "per_channel": per_channel,
        "weight_type": QuantType.QInt8,
        "reduce_range": not VNNI,
        "extra_options": {"ActivationSymmetric": False, "WeightSymmetric": True},
    }
    model = quantized_model(tmp_path, form, **options)
    x = images(99, 6)
    expected = Replay(model, x).run()
    for optimized in (True, False) if form == QuantFormat.QOperator else (True,):
        actual = run_all(model, torch.from_numpy(x), optimized=optimized)
        actual.pop("output", None)
        assert set(actual) == set(expected)
        assert len(actual) >= 11
        for name, codes in expected.items():
            assert len(np.unique(codes)) > 10
            np.testing.assert_array_equal(actual[name], codes, name)


def test_exception_qdq_without_optimization_is_float() -> None:
    """The operators between Dequantize- and QuantizeLinear then compute in float32."""
    quantized, lowered, x, trace = network("mobilenet_v1")
    actual = run_all(export(quantized, lowered, qdq=True), x, optimized=False)
    expected = trace.tensors
    first = lowered.programs[0].inputs[0]
    np.testing.assert_array_equal(actual.pop(first), expected[first])
    assert any((codes != expected[name]).any() for name, codes in actual.items())
