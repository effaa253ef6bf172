"""A network lowered for the target ``onnxruntime`` as an ONNX model, in either of its two forms.

``QOperator``: QLinearConv, QGemm, com.microsoft's QLinearAdd and QLinearGlobalAveragePool.
``QDQ``: float operators between DequantizeLinear and QuantizeLinear, as ``quantize_static`` writes.

Scales come from the Q/DQ graph, not from the Program, whose requantizers hold derived numbers: the
derivation is part of what is compared. Every tensor of codes is an output of the model, under the
name that it has in the trace.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from qsim import Quantized
from qsim.network.lowered import Lowered
from qsim.program.program import Call, Program

MICROSOFT = "com.microsoft"
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
F32, U8, I8 = np.float32, np.uint8, np.int8


class Writer:
    """Collects nodes and constants; ``codes`` are the tensors to compare."""

    def __init__(self, quantized: Quantized, program: Program, *, qdq: bool) -> None:
        self.quantized, self.program, self.qdq = quantized, program, qdq
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.codes: list[str] = []

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        domain = attributes.pop("domain", "")
        name = f"{operator}:{output}"
        self.nodes.append(
            helper.make_node(operator, inputs, [output], name, domain=domain, **attributes)
        )
        return output

    def parameters(self, name: str) -> list[str]:
        """Names of a tensor's scale and zero point."""
        spec = self.program.tensors[name]
        scale = self.constant(f"{name}:scale", F32(spec.scale or 0.0))
        return [scale, self.constant(f"{name}:zero", U8(spec.zero_point))]

    def weight(self, anchor: str, name: str) -> list[str]:
        """Names of a weight's codes, scales and zero points."""
        scales = weight_scales(self.quantized, anchor)
        codes = self.constant(name, self.program.constants[name].astype(I8))
        zeros = self.constant(f"{name}:zero", np.zeros(scales.shape, I8))
        return [codes, self.constant(f"{name}:scale", scales), zeros]

    def real(self, name: str) -> str:
        """The real values of a tensor of codes: a DequantizeLinear for each reader."""
        output = f"{name}:real{len(self.nodes)}"
        return self.node("DequantizeLinear", [name, *self.parameters(name)], output)

    def back(self, real: str, output: str) -> None:
        self.node("QuantizeLinear", [real, *self.parameters(output)], output)
        self.codes.append(output)


def weight_scales(quantized: Quantized, anchor: str) -> np.ndarray:
    """Return the float32 scales of an operator's weight, one for each output channel."""
    node = next(n for n in quantized.graph.graph.nodes if n.name == anchor)
    dequantize = node.args[1]
    assert "dequantize_per_channel" in str(dequantize.target)
    return np.asarray(getattr(quantized.graph, dequantize.args[1].target).numpy(), F32)


def export(quantized: Quantized, lowered: Lowered, *, qdq: bool) -> onnx.ModelProto:
    """Return the model; its input is the float tensor ``input``, its outputs are tensors of codes.

    The network is one Program between a quantize and a dequantize, of the primitives that a
    convolutional network has.
    """
    (program,) = lowered.programs
    (entry,) = program.inputs
    writer = Writer(quantized, program, qdq=qdq)
    writer.back("input", entry)
    groups: dict[str, list[Call]] = {}
    for call in program.calls:
        groups.setdefault(call.name.rsplit(".", 1)[0], []).append(call)
    for anchor, calls in groups.items():
        kinds = tuple(call.primitive for call in calls)
        _WRITERS[kinds](writer, anchor, calls)
    return _model(writer, lowered.inputs[0].shape)


def _model(writer: Writer, shape: tuple[int, ...]) -> onnx.ModelProto:
    free = ["batch", *shape[1:]]
    graph = helper.make_graph(
        writer.nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, free)],
        [helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in writer.codes],
        [numpy_helper.from_array(value, name) for name, value in writer.constants.items()],
    )
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=10)


def _products(writer: Writer, anchor: str, calls: list[Call]) -> None:
    product, bias, requantize = calls
    source, name = product.inputs
    assert requantize.attributes["clamp"] is None  # a ReLU is the format's own lower end
    weight = writer.weight(anchor, name)
    added = writer.constant(bias.inputs[1], writer.program.constants[bias.inputs[1]])
    conv = product.primitive == "correlation"
    layout = _layout(product) if conv else {"transB": 1}
    if writer.qdq:
        scales = weight[1]
        real = writer.node("DequantizeLinear", weight, f"{name}:real", axis=0)
        s_x = F32(writer.program.tensors[source].scale or 0.0)
        s_b = writer.constant(f"{added}:scale", s_x * writer.constants[scales])
        offset = writer.node("DequantizeLinear", [added, s_b], f"{added}:real", axis=0)
        operands = [writer.real(source), real, offset]
        operator = "Conv" if conv else "Gemm"
        result = writer.node(operator, operands, f"{requantize.output}:sum", **layout)
        writer.back(result, requantize.output)
        return
    ends = writer.parameters(source), writer.parameters(requantize.output)
    if conv:
        inputs = [source, *ends[0], *weight, *ends[1], added]
        writer.node("QLinearConv", inputs, requantize.output, **layout)
    else:
        inputs = [source, *ends[0], *weight, added, *ends[1]]
        writer.node("QGemm", inputs, requantize.output, domain=MICROSOFT, **layout)
    writer.codes.append(requantize.output)


def _layout(call: Call) -> dict[str, Any]:
    a: Any = call.attributes
    pads = [before for before, _ in a["padding"]] + [after for _, after in a["padding"]]
    return {
        "strides": a["stride"],
        "pads": pads,
        "dilations": a["dilation"],
        "group": a["groups"],
    }


def _add(writer: Writer, anchor: str, calls: list[Call]) -> None:
    (call,) = calls
    assert call.attributes["clamp"] is None
    if writer.qdq:
        operands = [writer.real(name) for name in call.inputs]
        writer.back(writer.node("Add", operands, f"{call.output}:sum"), call.output)
        return
    names = [*call.inputs, call.output]
    a, b, y = (writer.parameters(name) for name in names)
    writer.node("QLinearAdd", [names[0], *a, names[1], *b, *y], call.output, domain=MICROSOFT)
    writer.codes.append(call.output)


def _unary(writer: Writer, call: Call, operator: str, more: list[str], **attributes: Any) -> None:
    """An operator that chooses or moves codes: the same one in both forms."""
    (source,) = call.inputs
    if writer.qdq:
        result = f"{call.output}:moved"
        writer.node(operator, [writer.real(source), *more], result, **attributes)
        writer.back(result, call.output)
        return
    writer.node(operator, [source, *more], call.output, **attributes)
    writer.codes.append(call.output)


def _max_pool(writer: Writer, anchor: str, calls: list[Call]) -> None:
    a: Any = calls[0].attributes
    layout = {
        "kernel_shape": a["kernel"],
        "strides": a["stride"],
        "pads": [*a["padding"], *a["padding"]],
        "dilations": a["dilation"],
    }
    _unary(writer, calls[0], "MaxPool", [], **layout)


def _average(writer: Writer, anchor: str, calls: list[Call]) -> None:
    (call,) = calls
    (source,) = call.inputs
    shape = writer.program.tensors[source].shape
    assert call.attributes["kernel"] == list(shape[2:])
    if writer.qdq:
        _unary(writer, call, "GlobalAveragePool", [])
        return
    inputs = [source, *writer.parameters(source), *writer.parameters(call.output)]
    options = {"domain": MICROSOFT, "channels_last": 0}
    writer.node("QLinearGlobalAveragePool", inputs, call.output, **options)
    writer.codes.append(call.output)


def _reshape(writer: Writer, anchor: str, calls: list[Call]) -> None:
    shape = np.asarray(calls[0].attributes["shape"], np.int64)
    _unary(writer, calls[0], "Reshape", [writer.constant(f"{calls[0].output}:shape", shape)])


_WRITERS: dict[tuple[str, ...], Any] = {
    ("correlation", "bias_add", "requantize"): _products,
    ("linear", "bias_add", "requantize"): _products,
    ("add",): _add,
    ("max_pool",): _max_pool,
    ("avg_pool",): _average,
    ("reshape",): _reshape,
}


def session(model: onnx.ModelProto, *, optimized: bool) -> onnxruntime.InferenceSession:
    """Return a session on one thread, with every graph optimization or none."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    )
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run_all(model: onnx.ModelProto, x: torch.Tensor, *, optimized: bool) -> dict[str, np.ndarray]:
    """Return every output of the model by name."""
    running = session(model, optimized=optimized)
    names = [output.name for output in running.get_outputs()]
    values = running.run(names, {running.get_inputs()[0].name: x.numpy()})
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}
