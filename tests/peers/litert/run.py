"""Run a LiteRT model with one of its three sets of kernels, on one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

if TYPE_CHECKING:
    from tests.peers.litert.model import Model

KERNELS = {
    "reference": OpResolverType.BUILTIN_REF,
    "optimized": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "xnnpack": OpResolverType.BUILTIN,
}


def run(
    model: Model, *inputs: np.ndarray, kernels: str, every: bool = True
) -> tuple[dict[str, np.ndarray], set[str]]:
    """Return the results of operators by tensor name, and the operators XNNPACK left over.

    Only a model's outputs can be read. Without ``every`` the last result is the only one, as in
    a model that is shipped: the delegate may then merge operators.
    """
    interpreter = Interpreter(
        model_content=model.serialize(every=every),
        num_threads=1,
        experimental_op_resolver_type=KERNELS[kernels],
    )
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    results = {
        output.name: np.array(interpreter.get_tensor(output.index))
        for *_, output in (model.operators if every else model.operators[-1:])
    }
    return results, left_over(interpreter)


def left_over(interpreter: Interpreter) -> set[str]:
    """Return the names of the operators that the delegate did not take."""
    details = interpreter._get_ops_details()
    taken: set[int] = set()
    for node in details:
        if node["op_name"] == "DELEGATE":
            taken |= {int(t) for t in node["outputs"]}
    return {
        node["op_name"]
        for node in details
        if node["op_name"] != "DELEGATE" and not taken & {int(t) for t in node["outputs"]}
    }
