"""Models of one operator, run by ONNX Runtime's CPU provider on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TYPES = {
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "uint16": TensorProto.UINT16,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "float32": TensorProto.FLOAT,
}


def run(
    operator: str,
    inputs: list[Any],
    output: str,
    *,
    fed: tuple[int, ...] = (0,),
    domain: str = "",
    opset: int = 21,
    **attributes: object,
) -> np.ndarray:
    """Run one node; the inputs named by ``fed`` are fed, the others constant, None is left out."""
    arrays = {f"i{k}": np.asarray(v) for k, v in enumerate(inputs) if v is not None}
    live = [f"i{k}" for k in fed]
    names = [f"i{k}" if v is not None else "" for k, v in enumerate(inputs)]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], domain=domain, **attributes)],
        operator,
        [helper.make_tensor_value_info(n, TYPES[arrays[n].dtype.name], arrays[n].shape)
         for n in live],
        [helper.make_tensor_value_info("y", TYPES[output], None)],
        [numpy_helper.from_array(a, n) for n, a in arrays.items() if n not in live],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {n: arrays[n] for n in live})[0])


def ends_or_any(rng: np.random.Generator, dtype: str, size: object = ()) -> np.ndarray:
    """Zero points: the format's ends as often as something between."""
    info = np.iinfo(dtype)
    between = rng.integers(info.min, info.max + 1, size)  # type: ignore[arg-type]
    ends = rng.choice([info.min, info.max], size)
    return np.where(rng.random(size) < 0.5, ends, between).astype(dtype)  # type: ignore[arg-type]


def codes(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Random codes over the whole format."""
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)
