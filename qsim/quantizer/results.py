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
from qsim.network import DTYPES, from_treespec
from qsim.program import MAX_RANK

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node


def in_order(graph: GraphModule) -> GraphModule:
    """Put the parts that are read straight behind their operator, by index; drop the others."""
    changed = False
    for whole in list(graph.graph.nodes):
        parts = [user for user in whole.users if user.target is operator.getitem]
        changed = changed or bool(parts)
        for part in sorted(parts, key=lambda part: int(part.args[1]), reverse=True):
            if part.users:
                whole.append(part)
            else:
                graph.graph.erase_node(part)
    if changed:
        graph.recompile()
    return graph


def require_outputs(graph: GraphModule) -> None:
    """Refuse what no network returns: values that are no tensors, and constants.

    Raises:
        ModelError: names the layer and the line that make it.
    """
    output = list(graph.graph.nodes)[-1]
    values: list[Any] = list(output.args[0])
    if all(value is None for value in values):
        raise ModelError("the model returns no tensor", accepted="1 output or more")
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
        if nodes.is_parameter(value):
            raise ModelError(
                f"output {index} of the model depends on no input, but on {value.target!r} alone",
                where=place(value),
                accepted="outputs that are computed from inputs",
            )
        _require_value(value, index)


def _require_value(value: Node, index: int) -> None:
    """Refuse a tensor that is no value of a network."""
    made = value.meta["val"]
    dtype = str(made.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise ModelError(
            f"output {index} of the model is {dtype}",
            where=place(value),
            accepted=", ".join(DTYPES),
        )
    if len(made.shape) > MAX_RANK:
        shown = ", ".join(str(size) if isinstance(size, int) else "N" for size in made.shape)
        raise ModelError(
            f"output {index} of the model has the shape ({shown})",
            where=place(value),
            accepted=f"at most {MAX_RANK} dimensions",
        )
