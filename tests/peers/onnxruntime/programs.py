"""A Program as an ONNX graph: what quantize_dynamic writes, and float operators as they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

import qsim
from qsim.program import Call

Array = np.ndarray
_INTEGERS = {"quantize": TensorProto.UINT8, "dynamic_matmul": TensorProto.INT32}


class Writer:
    """Nodes and constants of one Program; every tensor that both have keeps its name."""

    def __init__(self, program: qsim.Program, apart: Collection[str]) -> None:
        self.program = program
        self.nodes: list[NodeProto] = []
        self.stored: dict[str, Array] = {}
        self.shared = [name for name in program.tensors if name not in program.inputs]
        self.made = {call.output: call for call in program.calls}
        self.chosen = {name for name, call in self.made.items() if "choose" in call.primitive}
        for call in program.calls:
            if call.primitive in apart:
                self.drop(call)
            else:
                getattr(self, call.primitive)(call, call.attributes)

    def add(self, kind: str, inputs: tuple[str, ...], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))

    def constant(self, name: str, array: Array) -> str:
        self.stored[name] = array
        return name

    def operand(self, name: str) -> str:
        held = self.program.constants.get(name)
        return name if held is None else self.constant(name, held)

    def drop(self, call: Call) -> None:
        self.shared.remove(call.output)

    def min_max(self, call: Call, _: Any) -> None:
        self.drop(call)

    def choose_scale(self, call: Call, _: Any) -> None:
        self.drop(call)

    choose_zero_point = choose_scale

    def quantize(self, call: Call, _: Any) -> None:
        x, *parameters = call.inputs
        self.nodes.append(
            helper.make_node("DynamicQuantizeLinear", [x], [call.output, *parameters])
        )

    def linear(self, call: Call, _: Any) -> None:
        codes, name = call.inputs
        weight = self.constant(name, self.program.constants[name].T.astype(np.int8).copy())
        self.add("MatMulInteger", (codes, weight, self.made[codes].inputs[2]), call.output)

    def dequantize_sums(self, call: Call, a: Any) -> None:
        acc, scale, _ = call.inputs
        self.drop(self.made[acc])  # of codes as they are here, less their zero point there
        factor = self.operand(a["weight_scale"]["constant"])
        self.add("Cast", (acc,), f"{call.name}.real", to=TensorProto.FLOAT)
        self.add("Mul", (scale, factor), f"{call.name}.scales")
        bias = a["bias"]
        made = call.output if bias is None else f"{call.name}.product"
        self.add("Mul", (f"{call.name}.real", f"{call.name}.scales"), made)
        if bias is not None:
            self.add("Add", (made, self.operand(bias["constant"])), call.output)

    def dynamic_matmul(self, call: Call, _: Any) -> None:
        self.add("MatMulInteger", call.inputs, call.output)

    def dequantize(self, call: Call, _: Any) -> None:
        acc, scale, _zero = call.inputs
        self.add("Cast", (acc,), f"{call.name}.real", to=TensorProto.FLOAT)
        self.add("Mul", (f"{call.name}.real", scale), call.output)

    def float_add(self, call: Call, _: Any) -> None:
        self.add("Add", tuple(map(self.operand, call.inputs)), call.output)

    def float_mul(self, call: Call, _: Any) -> None:
        if all(name in self.chosen for name in call.inputs):
            self.drop(call)  # of one element here, a scalar there
        self.add("Mul", tuple(map(self.operand, call.inputs)), call.output)

    def float_function(self, call: Call, a: Any) -> None:
        self.add({"gelu": "Gelu", "tanh": "Tanh"}[a["function"]], call.inputs, call.output)

    def float_softmax(self, call: Call, _: Any) -> None:
        self.add("Softmax", call.inputs, call.output, axis=-1)

    def float_layer_norm(self, call: Call, a: Any) -> None:
        tables = tuple(self.operand(a[name]["constant"]) for name in ("weight", "bias"))
        self.add("LayerNormalization", (*call.inputs, *tables), call.output, epsilon=a["eps"])

    def reshape(self, call: Call, a: Any) -> None:
        shape = self.constant(f"{call.name}.shape", np.array(a["shape"], np.int64))
        self.add("Reshape", (call.inputs[0], shape), call.output)

    def permute(self, call: Call, a: Any) -> None:
        self.add("Transpose", call.inputs, call.output, perm=a["dims"])

    def strided_slice(self, call: Call, a: Any) -> None:
        starts, steps, sizes = (
            np.array(a[name], np.int64) for name in ("starts", "steps", "sizes")
        )
        ends = np.where(sizes < 0, np.iinfo(np.int64).max, starts + steps * sizes)
        names = [
            self.constant(f"{call.name}.{i}", array)
            for i, array in enumerate((starts, ends, np.arange(len(ends)), steps))
        ]
        self.add("Slice", (call.inputs[0], *names), call.output)


def run(
    program: qsim.Program, given: Mapping[str, Array], apart: Collection[str] = ()
) -> dict[str, Array]:
    """Return the tensors that ONNX Runtime makes of a Program, unoptimized, by name.

    Args:
        program: of the target onnxruntime-dynamic-whole.
        given: the inputs, and what calls of ``apart`` make.
        apart: primitives that ONNX Runtime does not compute: their results are inputs here.
    """
    inputs = [*program.inputs, *(c.output for c in program.calls if c.primitive in apart)]
    writer = Writer(program, apart)
    kinds = {c.output: _INTEGERS.get(c.primitive, TensorProto.FLOAT) for c in program.calls}
    ends = (
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [*given[n].shape]) for n in inputs],
        [helper.make_tensor_value_info(n, kinds[n], None) for n in writer.shared],
    )
    stored = [numpy_helper.from_array(array, name) for name, array in writer.stored.items()]
    graph = helper.make_graph(writer.nodes, "program", *ends, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    made = session.run(writer.shared, {name: given[name] for name in inputs})
    return dict(zip(writer.shared, made, strict=True))
