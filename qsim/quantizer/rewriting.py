"""Adding operators to an exported graph, with the shapes that patterns read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node


def insert(graph: GraphModule, before: Node, target: Any, *args: Any, **kwargs: Any) -> Node:
    """Add an operator of the layer that ``before`` comes from, in front of it."""
    with graph.graph.inserting_before(before):
        made = graph.graph.create_node("call_function", target, args, kwargs)
    made.meta = dict(before.meta)
    made.meta["val"] = fake_value(made)
    return made


def replace(graph: GraphModule, node: Node, by: Node) -> None:
    """Let every reader of a node read another one, and delete the node."""
    node.replace_all_uses_with(by)
    graph.graph.erase_node(node)


def fake_value(node: Node) -> Any:
    """Return what an operator makes of tensors without data."""
    operator: Any = node.target
    given = torch.fx.node.map_arg((node.args, node.kwargs), lambda item: item.meta["val"])
    values = (source.meta["val"] for source in node.all_input_nodes)
    (mode, *_) = (value.fake_mode for value in values if hasattr(value, "fake_mode"))
    with mode:
        return operator(*given[0], **given[1])


def static_sizes(shape: tuple[Any, ...]) -> list[int] | None:
    """Return a shape as reshape takes it, -1 for a size that is a symbol; None for two of them."""
    sizes = [size if isinstance(size, int) else -1 for size in shape]
    return sizes if sizes.count(-1) <= 1 else None
