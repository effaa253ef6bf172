"""The targets named after a peer derive, from scales, what that peer computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_models.add import add
from hw_models.bias_add import bias_add
from hw_models.formats import FixedFormat
from hw_models.matmul import matmul
from hw_models.requantize import requantize
from qsim.target import Target, derive
from tests.peers.onnxruntime.models import codes, ends_or_any, run
from tests.peers.pytorch.layers import (
    ENGINES,
    Geometry,
    accumulators,
    pairs_saturate,
    quantized_tensor,
    random_layer,
    run_torch,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.quantize_per_tensor, torch.quantize_per_channel and other:UserWarning"
)
F32 = np.float32
GEOMETRIES = [
    Geometry("linear", 64, 128, batch=5),
    Geometry("3x3", 8, 16, (3, 3), (7, 6), padding=1),
]


@pytest.mark.peer("PyTorch FBGEMM", ["requantize", "bias_add"], ["pytorch"])
@pytest.mark.parametrize("engine", [e for e in ENGINES if e == "fbgemm"], indirect=True)
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: g.name)
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
def test_pytorch(engine: str, geometry: Geometry, per_channel: bool) -> None:
    """fbgemm without a bias; and with one, where scales are powers of two: b / s is an integer."""
    target = Target.load("pytorch")
    rng = np.random.default_rng(41)
    limit = 64 if pairs_saturate(engine) else 128
    for trial in range(8):
        layer = random_layer(geometry, rng, per_channel=per_channel, weight_limit=limit)
        acc = accumulators(layer)
        if trial % 2:
            powers = [
                (2.0 ** np.round(np.log2(s))).astype(F32) for s in (layer.s_x, layer.s_w, layer.s_y)
            ]
            layer = replace(layer, s_x=powers[0], s_w=np.asarray(powers[1]), s_y=powers[2])
            bias = rng.integers(-5000, 5000, geometry.outputs).astype(np.int32)
            layer = replace(layer, bias=(bias * (layer.s_w * layer.s_x)).astype(F32))
            acc = bias_add(acc, bias)
        scheme = derive.requantizer(target, float(layer.s_x), layer.s_w, float(layer.s_y))
        expected = requantize(acc, scheme, layer.z_y, layer.format)
        np.testing.assert_array_equal(run_torch(layer), expected)


@pytest.mark.peer("ONNX Runtime", ["requantize"], ["onnxruntime"])
@pytest.mark.parametrize("per_column", [False, True], ids=["tensor", "column"])
def test_onnxruntime(per_column: bool) -> None:
    target = Target.load("onnxruntime")
    rng = np.random.default_rng(43)
    for _ in range(8):
        a, b = codes(rng, "uint8", (4, 40)), rng.integers(-64, 64, (40, 24)).astype(np.int8)
        z_a, z_y, zero = ends_or_any(rng, "uint8"), ends_or_any(rng, "uint8"), np.int8(0)
        size = 24 if per_column else ()
        s_a, s_y = F32(rng.uniform(0.001, 0.1)), F32(rng.uniform(0.01, 0.5))
        s_b = np.asarray(rng.uniform(0.001, 0.02, size), F32)
        scheme = derive.requantizer(target, float(s_a), s_b, float(s_y))
        acc = matmul(a, b, a_zero_point=int(z_a))
        expected = requantize(acc, scheme, int(z_y), FixedFormat(8, signed=False))
        z_b = np.full(size, zero)
        actual = run("QLinearMatMul", [a, s_a, z_a, b, s_b, z_b, s_y, z_y], "uint8")
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.peer("PyTorch", ["add"], ["pytorch"], name="pytorch")
@pytest.mark.peer("ONNX Runtime", ["add"], ["onnxruntime"], name="onnxruntime")
@pytest.mark.parametrize("name", ["pytorch", "onnxruntime"])
def test_add(name: str) -> None:
    """Whole vectors: torch computes the codes after the last one in another way."""
    import torch

    rng = np.random.default_rng(47)
    form = FixedFormat(8, signed=False)
    for _ in range(12):
        a, b = codes(rng, "uint8", (256,)), codes(rng, "uint8", (256,))
        z = [ends_or_any(rng, "uint8") for _ in range(3)]
        s = [F32(v) for v in rng.uniform(0.01, 0.1, 3)]
        zeros = [int(v) for v in z]
        scheme = derive.adder(Target.load(name), *(float(v) for v in s))
        expected = add(a, b, scheme, *zeros, form)
        if name == "onnxruntime":
            inputs = [a, s[0], z[0], b, s[1], z[1], s[2], z[2]]
            actual = run("QLinearAdd", inputs, "uint8", fed=(0, 3), domain="com.microsoft")
        else:
            operands = quantized_tensor(a, s[0], zeros[0]), quantized_tensor(b, s[1], zeros[1])
            actual = torch.ops.quantized.add(*operands, float(s[2]), zeros[2]).int_repr().numpy()
        np.testing.assert_array_equal(actual, expected)
