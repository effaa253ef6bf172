"""Dynamically quantized products in ONNX Runtime: every float32 equal, fed the same input."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import qsim
from tests.peers.evidence.observed import compared

VNNI = torch.cpu._is_vnni_supported()
LENGTHS = (1, 7, 128)


class Block(torch.nn.Module):
    """A product with a bias and one without, of sequences of several lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(24, 10)
        self.matrix = torch.nn.Parameter(torch.randn(24, 7))

    def forward(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        return [made for x in inputs for made in (self.linear(x), x @ self.matrix)]


def session(program: qsim.Program, call: str, optimized: bool) -> onnxruntime.InferenceSession:
    """Return what quantize_dynamic writes for a layer of a Program."""
    (sums,) = (c for c in program.calls if c.name == f"{call}.dequantize_sums")
    held = {k: v["constant"] for k, v in sums.attributes.items() if isinstance(v, dict)}
    scale = program.constants[held["weight_scale"]]
    constants = {
        "w": np.ascontiguousarray(program.constants[f"{call}.weight"].T.astype(np.int8)),
        "w_zero": np.zeros(len(scale) if len(scale) > 1 else (), np.int8),
        "w_scale": scale if len(scale) > 1 else scale.reshape(()),
    }
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["q", "w", "zero", "w_zero"], ["acc"]),
        helper.make_node("Cast", ["acc"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["scale", "w_scale"], ["scales"]),
        helper.make_node("Mul", ["real", "scales"], ["product" if "bias" in held else "y"]),
    ]
    if "bias" in held:
        constants["b"] = program.constants[held["bias"]]
        nodes.append(helper.make_node("Add", ["product", "b"], ["y"]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "y")]
    ends[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "S", 24])
    stored = [numpy_helper.from_array(np.array(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "layer", ends[:1], ends[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    )
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)


@pytest.mark.peer(
    "ONNX Runtime",
    ["min_max", "choose_scale", "choose_zero_point", "quantize", "linear", "dequantize_sums"],
    ["onnxruntime-dynamic"],
)
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
def test_dynamic_products(per_channel: bool) -> None:
    torch.manual_seed(1)
    target = qsim.Target.load("onnxruntime-dynamic")
    default = {"per_channel": per_channel, "activation_bits": 8}
    if not VNNI:
        default["weight_bits"] = 7  # mlas saturates larger pairs on this processor
    rng = np.random.default_rng(1)
    xs = [rng.standard_normal((2, n, 24)).astype(np.float32) for n in LENGTHS]
    example = tuple(map(torch.from_numpy, xs))
    quantized = qsim.quantize(Block().eval(), example, target, config={"default": default})
    lowered = qsim.lower(quantized)
    assert not lowered.host_operators
    (program,) = lowered.programs
    compared(program, target)
    names = [spec.name for spec in lowered.outputs]
    peers = [(n, [session(program, n, optimized) for optimized in (False, True)]) for n in names]
    for scale, offset in ((1, 0), (3, 5), (-2, -9), (0, 0), (0, 0.25), (1e-6, 0), (1e30, 0)):
        batch = [x * np.float32(scale) + np.float32(offset) for x in xs]
        made = lowered(*batch)
        for index, (name, sessions) in enumerate(peers):
            for peer in sessions:
                (wanted,) = peer.run(None, {"x": batch[index // 2]})
                assert np.array_equal(made[index], wanted), (name, scale)
