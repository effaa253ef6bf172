"""The results of operators with several, in the order and number that every export gives.

torch.export writes one getitem for each result, read or not, straight behind its operator. PT2E
puts quantize and dequantize between them, and what nobody reads is dropped; so a second export,
which a ``.pt2`` file is, would have other nodes in another order than the graph that it came from.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from qsim.errors import ModelError
from qsim.graph import nodes, place
from qsim.network import from_treespec

if TYPE_CHECKING:
    from torch.fx import GraphModule


def in_order(graph: GraphModule) -> GraphModule:
    """Put the parts that are read straight behind their operator, by index; drop the others."""
    for whole in list(graph.graph.nodes):
        parts = [user for user in whole.users if user.target is operator.getitem]
        for part in sorted(parts, key=lambda part: int(part.args[1]), reverse=True):
            if part.users:
                whole.append(part)
            else:
                graph.graph.erase_node(part)
    graph.recompile()
    return graph


def require_outputs(graph: GraphModule) -> None:
    """Refuse what no network returns: values that are no tensors, empty ones, and constants.

    Raises:
        ModelError: names the layer that makes it.
    """
    output = list(graph.graph.nodes)[-1]
    values: list[Any] = list(output.args[0])
    info = getattr(graph.graph._codegen, "pytree_info", None)  # noqa: SLF001 - fx's one record of it
    if info is not None and info.out_spec is not None:
        from_treespec(info.out_spec, values)
    for index, value in enumerate(values):
        if value is None:
            continue
        if not hasattr(value, "meta") or nodes.shape(value) is None:
            shown = "a size" if hasattr(value, "meta") else repr(value)
            raise ModelError(
                f"the model returns {shown} as output {index}",
                where=place(value) if hasattr(value, "meta") else "",
                accepted="tensors, and None, in tuples, lists, dicts and dataclasses",
            )
        sizes = nodes.shape(value) or ()
        if any(isinstance(size, int) and size == 0 for size in sizes):
            shown = ", ".join(map(str, ("N", *sizes[1:]) if sizes[0] != 0 else sizes))
            raise ModelError(
                f"output {index} of the model is empty: its shape is ({shown})",
                where=place(value),
                accepted="outputs with elements; an empty one may be joined to another",
            )
        if nodes.is_parameter(value):
            raise ModelError(
                f"output {index} of the model depends on no input, but on {value.target!r} alone",
                accepted="outputs that are computed from inputs",
            )
