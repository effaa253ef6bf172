"""Whether a network can hold what a graph computes: asked before the calibration, not after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsim.errors import ModelError
from qsim.graph import nodes, place

if TYPE_CHECKING:
    import torch
    from torch.fx import GraphModule, Node


def require_tensors(graph: GraphModule) -> None:
    """Refuse sizes and numbers that depend on values, and constants that no network holds.

    Raises:
        ModelError: names the layer, the line and the operator.
    """
    from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

    for node in graph.graph.nodes:
        if node.op == "get_attr" and nodes.shape(node) is not None:
            _require_numbers(nodes.attribute(graph, node), node)
        elif node.op == "call_function" and free_unbacked_symbols(node.meta.get("val")):
            raise ModelError(
                f"{node.target} makes a number, or a size, that depends on values",
                where=place(node),
                accepted="shapes that do not depend on data, and tensors in place of .item()",
            )


def require_finite(values: torch.Tensor, what: str, reader: Node) -> None:
    """Refuse a weight or a bias that holds a NaN or an infinity.

    Raises:
        ModelError: names the layer and the line that reads it.
    """
    if not bool(values.isfinite().all()):
        raise ModelError(
            f"the {what} holds a NaN or an infinity", where=place(reader), accepted="finite weights"
        )


def _require_numbers(value: Any, node: Node) -> None:
    try:
        numbers = value.detach().numpy().dtype.kind in "iufb"
    except TypeError:  # NumPy has no such type
        numbers = False
    if not numbers:
        dtype = str(value.dtype).removeprefix("torch.")
        raise ModelError(
            f"it reads {str(node.target)!r}, a constant of {dtype}, which no network holds",
            where=place(next(iter(node.users), node)),
            accepted="float32 (call .float() on the model), float16, integers, bool",
        )
