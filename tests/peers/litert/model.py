"""LiteRT models written tensor by tensor with the flatbuffer schema; there is no converter here.

Tensors are channels last, as LiteRT's kernels want them: images [N, H, W, C], kernels
[O, H, W, C / groups], depthwise kernels [1, H, W, O].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    name: getattr(schema.TensorType, name.upper())
    for name in ("int8", "int16", "int32", "int64", "float32", "uint8")
}
# The first version of an operator that takes int8; a kernel of a later one computes the same.
VERSIONS = {
    "RESHAPE": 1,
    "PRELU": 1,
    "HARD_SWISH": 1,
    "DEPTH_TO_SPACE": 1,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
}
ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}
PADDINGS = {"same": 0, "valid": 1}


@dataclass(frozen=True)
class Tensor:
    """One tensor of a model.

    Attributes:
        index: in the subgraph.
        name: unique in the model.
        shape: sizes.
        dtype: NumPy's name.
        scale: float32, a scalar or one per channel; None for plain numbers.
        zero_point: the code of real 0.
        data: of a constant.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: Any
    zero_point: int
    data: np.ndarray | None


class Model:
    """A model under construction: one subgraph, its operators in the order of execution."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operators: list[tuple[str, Any, list[Tensor | None], Tensor]] = []
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.operatorCodes, self._model.buffers = [], [schema.BufferT()]
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators, self._graph.inputs = [], [], []
        self._codes: dict[str, int] = {}

    def tensor(
        self,
        shape: tuple[int, ...],
        dtype: str = "int8",
        scale: Any = None,
        zero_point: int = 0,
        *,
        axis: int = 0,
        data: np.ndarray | None = None,
        name: str = "",
    ) -> Tensor:
        """Add a tensor; with ``data`` a constant one. ``axis`` is that of scales per channel."""
        made = schema.TensorT()
        index = len(self.tensors)
        name = name or f"t{index}"
        made.name, made.shape, made.type = name, list(shape), TYPES[dtype]
        made.buffer = 0
        if scale is not None:
            q = made.quantization = schema.QuantizationParametersT()
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            q.scale, q.quantizedDimension = scales.tolist(), axis
            q.zeroPoint = [zero_point] * len(scales)
        if data is not None:
            made.buffer = len(self._model.buffers)
            buffer = schema.BufferT()
            raw = np.ascontiguousarray(data.astype(dtype)).tobytes()
            buffer.data = np.frombuffer(raw, np.uint8)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(made)
        tensor = Tensor(index, name, tuple(shape), dtype, scale, zero_point, data)
        self.tensors.append(tensor)
        return tensor

    def input(self, shape: tuple[int, ...], dtype: str, scale: Any, zero_point: int = 0) -> Tensor:
        """Add an input of the model."""
        tensor = self.tensor(shape, dtype, scale, zero_point)
        self._graph.inputs.append(tensor.index)
        return tensor

    def variable(self, shape: tuple[int, ...], dtype: str, scale: Any, zero_point: int) -> Tensor:
        """Add a tensor that keeps its codes from one run to the next; real 0 at first."""
        tensor = self.tensor(shape, dtype, scale, zero_point)
        self._graph.tensors[tensor.index].isVariable = True
        return tensor

    def constant(self, data: np.ndarray, scale: Any = None, *, axis: int = 0) -> Tensor:
        """Add a constant with zero point 0."""
        return self.tensor(data.shape, data.dtype.name, scale, axis=axis, data=data)

    def operator(
        self,
        name: str,
        inputs: list[Tensor | None],
        output: Tensor,
        options: str = "",
        intermediates: tuple[Tensor, ...] = (),
        **fields: Any,
    ) -> Tensor:
        """Add an operator.

        Args:
            name: of ``BuiltinOperator``.
            inputs: None leaves an optional one out.
            output: where its result goes.
            options: name of the schema's options table, where the operator has one.
            intermediates: tensors whose scales alone are read, where it has some.
            fields: of that table.
        """
        made = schema.OperatorT()
        made.opcodeIndex = self._opcode(name)
        made.inputs = [-1 if t is None else t.index for t in inputs]
        made.outputs = [output.index]
        if intermediates:
            made.intermediates = [t.index for t in intermediates]
        if options:
            table = getattr(schema, options + "T")()
            for key, value in fields.items():
                if not hasattr(table, key):
                    raise AttributeError(f"{options} has no field {key!r}")
                setattr(table, key, value)
            made.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            made.builtinOptions = table
        self._graph.operators.append(made)
        self.operators.append((name, fields, inputs, output))
        return output

    def _opcode(self, name: str) -> int:
        if name not in self._codes:
            code = schema.OperatorCodeT()
            value = getattr(schema.BuiltinOperator, name)
            code.builtinCode, code.deprecatedBuiltinCode = value, min(value, 127)
            code.version = VERSIONS.get(name, 2)
            self._codes[name] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        return self._codes[name]

    def serialize(self, *, every: bool = True) -> bytes:
        """Return the flatbuffer; ``every`` operator's result is an output, or only the last's."""
        read = self.operators if every else self.operators[-1:]
        self._graph.outputs = [output.index for *_, output in read]
        self._model.subgraphs = [self._graph]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())
