"""Networks that ONNX Runtime's own tool quantized, and their replay with hw_models.

``quantize_static`` writes ``QOperator`` or ``QDQ`` models from a float model. ``replay`` walks
either, node after node: a QOperator node is one call of hw_models or a few; in QDQ form the same is
computed for each DequantizeLinear -> operator -> QuantizeLinear, from the parameters of all three.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

import hw_models as hw
from tests.peers.onnxruntime.network_export import OPSETS

F32 = np.float32
INPUT = (3, 12, 12)
# Operators that choose or move codes: their output's parameters are their input's.
MOVING = ("MaxPool", "Flatten", "Reshape", "Relu", "Clip")


def float_model(seed: int) -> onnx.ModelProto:
    """Convolution, a residual block, max pool, depthwise, global average, two linear layers."""
    rng = np.random.default_rng(seed)
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def parameters(name: str, *shape: int) -> list[str]:
        spread = (2.0 / np.prod(shape[1:])) ** 0.5
        weight = rng.normal(0, spread, shape).astype(F32)
        bias = rng.normal(0, 0.1, shape[0]).astype(F32)
        constants.append(numpy_helper.from_array(weight, f"{name}.w"))
        constants.append(numpy_helper.from_array(bias, f"{name}.b"))
        return [f"{name}.w", f"{name}.b"]

    def node(operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def conv(x: str, name: str, shape: tuple[int, ...], *, relu: bool, **attributes: Any) -> str:
        y = node("Conv", [x, *parameters(name, *shape)], name, **attributes)
        return node("Relu", [y], f"{name}.relu") if relu else y

    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    x = conv("input", "stem", (8, 3, 3, 3), relu=True, **same)
    y = conv(x, "left", (8, 8, 3, 3), relu=True, **same)
    y = conv(y, "right", (8, 8, 3, 3), relu=False, **same)
    x = node("Relu", [node("Add", [x, y], "sum")], "sum.relu")
    x = node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
    x = conv(x, "depthwise", (8, 1, 3, 3), relu=True, group=8, strides=[2, 2], **same)
    x = conv(x, "point", (24, 8, 1, 1), relu=False, kernel_shape=[1, 1])
    x = node("Flatten", [node("GlobalAveragePool", [x], "average")], "flat")
    x = node("Relu", [node("Gemm", [x, *parameters("hidden", 16, 24)], "hidden", transB=1)], "mid")
    node("Gemm", [x, *parameters("last", 5, 16)], "output", transB=1)
    graph = helper.make_graph(
        nodes,
        "float",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *INPUT])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 5])],
        constants,
    )
    return helper.make_model(graph, opset_imports=OPSETS[:1], ir_version=10)


def images(seed: int, count: int) -> np.ndarray:
    """Random inputs on both sides of zero."""
    return np.random.default_rng(seed).normal(0.2, 1.0, (count, *INPUT)).astype(F32)


class Reader(CalibrationDataReader):
    """Calibration batches."""

    def __init__(self) -> None:
        self.batches = iter([{"input": images(seed, 4)} for seed in range(4)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch."""
        return next(self.batches, None)


def quantized_model(folder: Path, form: QuantFormat, **options: Any) -> onnx.ModelProto:
    """Quantize the float model; all tensors of codes become outputs."""
    source, ready, target = (folder / name for name in ("float.onnx", "ready.onnx", "out.onnx"))
    onnx.save(float_model(5), source)
    quant_pre_process(source, ready)
    quantize_static(
        ready, target, Reader(), quant_format=form, activation_type=QuantType.QUInt8, **options
    )
    model = onnx.load(target)
    for name, dtype in code_tensors(model).items():
        model.graph.output.append(helper.make_tensor_value_info(name, dtype, None))
    return model


def code_tensors(model: onnx.ModelProto) -> dict[str, int]:
    """Return the names of the activations that are codes, and their type."""
    found: dict[str, int] = {}
    types = {t.name: t.data_type for t in model.graph.initializer}
    for node in model.graph.node:
        operator = node.op_type
        coded = operator.startswith("Q") or (operator in MOVING and node.input[0] in found)
        if coded and not (operator == "QuantizeLinear" and node.input[0] in types):
            found[node.output[0]] = TensorProto.UINT8
    return found


class Replay:
    """Computes the codes of a model from its input."""

    def __init__(self, model: onnx.ModelProto, x: np.ndarray) -> None:
        self.nodes = list(model.graph.node)
        self.values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.values["input"] = x
        self.codes: dict[str, np.ndarray] = {}
        # In QDQ form: the dequantize that a float value comes from, and operators not yet rounded.
        self.real: dict[str, list[str]] = {}
        self.open: dict[str, onnx.NodeProto] = {}

    def run(self) -> dict[str, np.ndarray]:
        """Return every tensor of codes by name."""
        for node in self.nodes:
            self.step(node)
        return self.codes

    def step(self, node: onnx.NodeProto) -> None:
        names, output = list(node.input), node.output[0]
        if node.op_type == "DequantizeLinear":
            self.real[output] = names
        elif node.op_type == "QuantizeLinear":
            self.quantize(names, output)
        elif all(name in self.codes for name in names[:1]):
            self.keep(output, self.operator(node.op_type, names, _attributes(node)))
        else:
            self.open[output] = node

    def keep(self, name: str, codes: np.ndarray) -> None:
        self.values[name] = self.codes[name] = codes

    def quantize(self, names: list[str], output: str) -> None:
        """A boundary; or the end of an operator in QDQ form, whose parameters it has."""
        node, end = self.open.get(names[0]), names[1:]
        if node is None:
            values = [self.values[name] for name in names]
            form = hw.FixedFormat(8, signed=values[2].dtype == np.int8)
            self.keep(output, hw.quantize(values[0], values[1], values[2], form, "onnx"))
            return
        if node.op_type == "Relu":  # its clamp is the format's own lower end
            assert int(self.values[end[1]]) == 0
            node = self.open[node.input[0]]
        parts = [self.real[name] for name in node.input if name in self.real]
        inputs = [*parts[0], *(name for part in parts[1:2] for name in part)]
        operator = f"QLinear{node.op_type}"
        if node.op_type == "Gemm":
            operator, inputs = "QGemm", [*inputs, parts[2][0], *end]
        elif node.op_type in MOVING:
            operator, inputs = node.op_type, [parts[0][0], *node.input[1:]]
        else:
            inputs = [*inputs, *end, *(part[0] for part in parts[2:])]
        self.keep(output, self.operator(operator, inputs, _attributes(node)))

    def operator(self, name: str, inputs: list[str], attributes: dict[str, Any]) -> np.ndarray:
        """One operator in QOperator form, with hw_models."""
        return _OPERATORS[name]([self.values[i] for i in inputs], attributes)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _form(zero: np.ndarray) -> hw.FixedFormat:
    return hw.FixedFormat(8, signed=zero.dtype == np.int8)


def _rescale(acc: np.ndarray, s_x: Any, s_w: Any, s_y: Any, z_y: np.ndarray) -> np.ndarray:
    scheme = hw.FloatScale(F32(F32(s_x) * s_w.astype(F32)) / F32(s_y))
    return hw.requantize(acc, scheme, int(z_y), _form(z_y))


def _conv(v: list[np.ndarray], a: dict[str, Any]) -> np.ndarray:
    x, s_x, z_x, w, s_w, z_w, s_y, z_y, *bias = v
    rank = w.ndim - 2
    pads = a.get("pads", [0] * 2 * rank)
    acc = hw.correlation(
        x,
        w,
        stride=tuple(a.get("strides", [1] * rank)),
        padding=tuple(zip(pads[:rank], pads[rank:], strict=True)),
        dilation=tuple(a.get("dilations", [1] * rank)),
        groups=a.get("group", 1),
        x_zero_point=int(z_x),
        weight_zero_point=z_w,
    )
    return _rescale(hw.bias_add(acc, bias[0]) if bias else acc, s_x, s_w, s_y, z_y)


def _gemm(v: list[np.ndarray], a: dict[str, Any]) -> np.ndarray:
    x, s_x, z_x, w, s_w, z_w, bias, s_y, z_y = v
    w = w if a.get("transB") else w.T
    acc = hw.linear(x, np.ascontiguousarray(w), x_zero_point=int(z_x), weight_zero_point=z_w)
    return _rescale(hw.bias_add(acc, bias, axis=1), s_x, s_w, s_y, z_y)


def _add(v: list[np.ndarray], a: dict[str, Any]) -> np.ndarray:
    x, s_x, z_x, y, s_y, z_y, s, z = v
    scheme = hw.FloatAdd(float(s_x), float(s_y), float(s), formula="mlas")
    return hw.add(x, y, scheme, int(z_x), int(z_y), int(z), _form(z))


def _average(v: list[np.ndarray], a: dict[str, Any]) -> np.ndarray:
    x, s_x, z_x, s_y, z_y = v
    count = x.shape[2] * x.shape[3]
    ones = np.ones((x.shape[1], 1, *x.shape[2:]), np.int8)
    total = hw.correlation(x, ones, groups=x.shape[1], x_zero_point=int(z_x))
    scheme = hw.FloatScale(F32(s_x) / (F32(s_y) * F32(count)))
    return hw.requantize(total, scheme, int(z_y), _form(z_y))


def _max_pool(v: list[np.ndarray], a: dict[str, Any]) -> np.ndarray:
    return hw.max_pool(v[0], tuple(a["kernel_shape"]), tuple(a["strides"]))


def _flatten(v: list[np.ndarray], a: dict[str, Any]) -> np.ndarray:
    return v[0].reshape(len(v[0]), -1)


_OPERATORS: dict[str, Any] = {
    "QLinearConv": _conv,
    "QGemm": _gemm,
    "QLinearAdd": _add,
    "QLinearGlobalAveragePool": _average,
    "MaxPool": _max_pool,
    "Flatten": _flatten,
}
