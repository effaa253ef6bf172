"""Adding operators to an exported graph, with the shapes that patterns read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node


def insert(
    graph: GraphModule,
    before: Node,
    target: Any,
    *args: Any,
    name: str | None = None,
    **kwargs: Any,
) -> Node:
    """Add an operator of the layer that ``before`` comes from, in front of it."""
    with graph.graph.inserting_before(before):
        made = graph.graph.create_node("call_function", target, args, kwargs, name)
    made.meta = dict(before.meta)
    made.meta["val"] = fake_value(made, before)
    return made


def replace(graph: GraphModule, node: Node, by: Node) -> None:
    """Let every reader of a node read another one, and delete the node."""
    node.replace_all_uses_with(by)
    graph.graph.erase_node(node)


def fake_value(node: Node, *others: Node) -> Any:
    """Return what an operator makes of tensors without data; of sizes alone, as ``others`` do."""
    from torch._dispatch.python import enable_python_dispatcher

    operator: Any = node.target
    given = torch.fx.node.map_arg((node.args, node.kwargs), lambda item: item.meta["val"])
    values = (value for each in (*node.all_input_nodes, *others) for value in _values(each))
    mode = next(value.fake_mode for value in values if hasattr(value, "fake_mode"))
    # Without Python's own kernels some operators (pads) make a number of the batch's symbol.
    with mode, torch.no_grad(), enable_python_dispatcher():
        return operator(*given[0], **given[1])


def _values(node: Node) -> list[Any]:
    value = node.meta.get("val")
    return list(value) if isinstance(value, (list, tuple)) else [value]


def static_sizes(shape: tuple[Any, ...]) -> list[int] | None:
    """Return a shape as reshape takes it, -1 for a size that is a symbol; None for two of them."""
    sizes = [size if isinstance(size, int) else -1 for size in shape]
    return sizes if sizes.count(-1) <= 1 else None


def expand_sizes(before: tuple[Any, ...], after: tuple[Any, ...]) -> list[int] | None:
    """Return what expand takes to make one shape of another, -1 for what stays; None if open."""
    sizes: list[int] = []
    for back, size in enumerate(reversed(after), 1):
        # Symbols are compared by their text: `==` on them would guard on the answer.
        same = back <= len(before) and str(before[-back]) == str(size)
        if not same and not isinstance(size, int):
            return None
        sizes.insert(0, -1 if same else size)
    return sizes
