"""Targets named after a peer: products, joins, tables, means, softmax, transposed convolutions.

Each equals what the peer computes, but for what the targets' notes say: an exact tie of a softmax.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import hw_models as hw
from hw_models import tables
from qsim.target import Target, derive
from tests.peers.onnxruntime.models import run
from tests.peers.pytorch.layers import ENGINES, pairs_saturate, quantized_tensor

pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.quantize_per_tensor, torch.quantize_per_channel and other:UserWarning"
)
F32 = np.float32
BYTES = hw.FixedFormat(8, signed=False)
ALL = np.arange(256, dtype=np.uint8)
NAMES = pytest.mark.parametrize("name", ["pytorch", "onnxruntime"])


def drawn(seed: int) -> tuple[np.random.Generator, list[Any], list[int]]:
    """Return three scales, the last one the result's, and three zero points."""
    rng = np.random.default_rng(seed)
    scales = [F32(v) for v in (*rng.uniform(0.005, 0.1, 2), rng.uniform(0.02, 0.5))]
    return rng, scales, [int(v) for v in rng.integers(0, 256, 3)]


def microsoft(operator: str, inputs: list[Any], fed: tuple[int, ...], **attributes: Any) -> Any:
    return run(operator, inputs, "uint8", fed=fed, domain="com.microsoft", **attributes)


@pytest.mark.peer("PyTorch", ["mul"], ["pytorch"], name="pytorch")
@pytest.mark.peer("ONNX Runtime", ["mul"], ["onnxruntime"], name="onnxruntime")
@NAMES
@pytest.mark.parametrize("seed", range(4))
def test_mul(name: str, seed: int) -> None:
    _, s, z = drawn(seed)
    a, b = (v.copy() for v in np.meshgrid(ALL, ALL, indexing="ij"))
    scheme = derive.requantizer(Target.load(name), *map(float, s), operator="mul")
    if name == "pytorch":
        operands = quantized_tensor(a, s[0], z[0]), quantized_tensor(b, s[1], z[1])
        theirs = torch.ops.quantized.mul(*operands, float(s[2]), z[2]).int_repr().numpy()
    else:
        points = list(map(np.uint8, z))
        inputs = [a, s[0], points[0], b, s[1], points[1], s[2], points[2]]
        theirs = microsoft("QLinearMul", inputs, (0, 3))
    np.testing.assert_array_equal(hw.mul(a, b, scheme, *z, BYTES), theirs)


@pytest.mark.peer("PyTorch", ["concat"], ["pytorch"], name="pytorch")
@pytest.mark.peer("ONNX Runtime", ["concat"], ["onnxruntime"], name="onnxruntime")
@NAMES
@pytest.mark.parametrize("seed", range(4))
def test_concat(name: str, seed: int) -> None:
    rng, s, z = drawn(seed)
    made = F32(max(s[:2]) * F32(rng.uniform(0.7, 1.3)))
    parts = [rng.integers(0, 256, (1, 16, 8, 8)).astype(np.uint8) for _ in range(2)]
    target = Target.load(name)
    schemes = [derive.requantizer(target, float(v), 1.0, float(made)) for v in s[:2]]
    if name == "pytorch":
        operands = [quantized_tensor(x, v, w) for x, v, w in zip(parts, s, z, strict=False)]
        theirs = torch.ops.quantized.cat(operands, 1, float(made), z[2]).int_repr().numpy()
    else:
        points = list(map(np.uint8, z))
        pairs = [parts[0], s[0], points[0], parts[1], s[1], points[1]]
        theirs = microsoft("QLinearConcat", [made, points[2], *pairs], (2, 5), axis=1)
    np.testing.assert_array_equal(hw.concat(parts, 1, schemes, z[:2], z[2], BYTES), theirs)


@pytest.mark.peer("ONNX Runtime", ["lookup"], ["onnxruntime"])
@pytest.mark.parametrize("seed", range(4))
def test_tables_of_onnxruntime(seed: int) -> None:
    _, s, z = drawn(seed)
    point = [np.uint8(v) for v in (*z, 0)]
    both = float(s[0]), 1 / 256, z[0], 0, BYTES, BYTES
    theirs = microsoft("QLinearSigmoid", [ALL, s[0], point[0], F32(1 / 256), point[3]], (0,))
    np.testing.assert_array_equal(tables.table("sigmoid", *both, tables.ONNX), theirs)
    leaky = float(s[0]), float(s[1]), z[0], z[1], BYTES, BYTES
    inputs = [ALL, s[0], point[0], s[1], point[1]]
    theirs = microsoft("QLinearLeakyRelu", inputs, (0,), alpha=0.1)
    ours = tables.table(tables.leaky_relu(0.1), *leaky, tables.ONNX)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.peer("PyTorch", ["lookup"], ["pytorch"])
@pytest.mark.parametrize("seed", range(4))
def test_tables_of_pytorch(seed: int) -> None:
    _, s, z = drawn(seed)
    x, q = quantized_tensor(ALL, s[0], z[0]), torch.ops.quantized
    result = float(s[1]), z[1]
    for function, made, theirs in (
        ("sigmoid", (1 / 256, 0), q.sigmoid(x, 1 / 256, 0)),
        ("tanh", (1 / 128, 128), torch.tanh(x)),
        ("hard_swish", result, q.hardswish(x, *result)),
        (tables.leaky_relu(0.1), result, q.leaky_relu(x, 0.1, False, *result)),
    ):
        ours = tables.table(
            function, float(s[0]), made[0], z[0], made[1], BYTES, BYTES, tables.TORCH
        )
        np.testing.assert_array_equal(ours, theirs.int_repr().numpy())


@pytest.mark.peer("ONNX Runtime", ["mean"], ["onnxruntime"])
@pytest.mark.parametrize("size", [7, 8])
def test_mean_of_onnxruntime(size: int) -> None:
    for seed in range(4):
        rng, s, z = drawn(seed)
        x = rng.integers(0, 256, (1, 64, size, size)).astype(np.uint8)
        scheme = derive.requantizer(
            Target.load("onnxruntime"), float(s[0]), 1.0 / size**2, float(s[1])
        )
        ours = hw.mean(x, [2, 3], scheme, z[0], z[1], BYTES, keepdims=True)
        inputs = [x, s[0], np.uint8(z[0]), s[1], np.uint8(z[1])]
        theirs = microsoft("QLinearGlobalAveragePool", inputs, (0,))
        np.testing.assert_array_equal(ours, theirs)


def softmax_of(name: str, x: np.ndarray, s: Any, z: int) -> np.ndarray:
    if name == "pytorch":
        operand = quantized_tensor(x, s, z)
        return torch.ops.quantized.softmax(operand, 1, 1 / 256, 0).int_repr().numpy()
    # The operator has an attribute called opset, as onnx_models.run has an argument.
    constants = {"s": s, "z": np.uint8(z), "t": F32(1 / 256), "u": np.uint8(0)}
    node = helper.make_node(
        "QLinearSoftmax", ["x", *constants], ["y"], domain="com.microsoft", axis=1, opset=13
    )
    ends = [helper.make_tensor_value_info(n, TensorProto.UINT8, x.shape) for n in "xy"]
    arrays = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], arrays)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.peer("PyTorch", ["softmax"], ["pytorch"], name="pytorch")
@pytest.mark.peer("ONNX Runtime", ["softmax"], ["onnxruntime"], name="onnxruntime")
@NAMES
@pytest.mark.parametrize("length", [4, 20, 100])
def test_softmax(name: str, length: int) -> None:
    for seed in range(4):
        rng, s, z = drawn(seed)
        x = rng.integers(0, 256, (100, length)).astype(np.uint8)
        scheme = hw.FloatSoftmax(float(s[0]), 1 / 256, 0)
        ours = hw.softmax(x, scheme, axis=1, input=BYTES, output=BYTES)
        np.testing.assert_array_equal(ours, softmax_of(name, x, s[0], z[0]))


@NAMES
def test_exception_a_tie_of_a_softmax(name: str) -> None:
    """512 equal codes: 256 / 512 is 0.5, which the peers take to even."""
    x = np.full((1, 512), 200, np.uint8)
    scheme = hw.FloatSoftmax(0.05, 1 / 256, 0)
    ours = hw.softmax(x, scheme, axis=1, input=BYTES, output=BYTES)
    assert set(ours.ravel()) == {1}
    assert set(softmax_of(name, x, F32(0.05), 3).ravel()) == {0}


@pytest.mark.peer("PyTorch FBGEMM", ["transposed_correlation"], ["pytorch"])
@pytest.mark.parametrize("engine", [e for e in ENGINES if e == "fbgemm"], indirect=True)
@pytest.mark.parametrize("seed", range(4))
def test_transposed_convolution_of_pytorch(engine: str, seed: int) -> None:
    rng, s, z = drawn(seed)
    limit = 64 if pairs_saturate(engine) else 128
    weight = rng.integers(-limit, limit, (4, 5, 3, 3)).astype(np.int8)
    x = rng.integers(0, 256, (2, 4, 6, 7)).astype(np.uint8)
    step = F32(s[1] / 10)
    codes = torch._make_per_tensor_quantized_tensor(torch.from_numpy(weight), float(step), 0)
    packed = torch.ops.quantized.conv_transpose2d_prepack(
        codes, None, [2, 2], [1, 1], [1, 1], [1, 1], 1
    )
    operand = quantized_tensor(x, s[0], z[0])
    theirs = torch.ops.quantized.conv_transpose2d(operand, packed, float(s[2]), z[2])
    acc = hw.transposed_correlation(
        x, weight, stride=2, padding=1, output_padding=1, x_zero_point=z[0]
    )
    scheme = derive.requantizer(Target.load("pytorch"), float(s[0]), float(step), float(s[2]))
    ours = hw.requantize(acc, scheme, z[2], BYTES)
    np.testing.assert_array_equal(ours, theirs.int_repr().numpy())
