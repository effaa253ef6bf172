"""Passes over constants: folds what depends on parameters only, drops what nobody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.double import compute, float64_by_default, narrow, wide

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_PLACE: Final = ("nn_module_stack", "stack_trace")


def fold_constants(graph: GraphModule) -> None:
    """Compute operators that read parameters and buffers only, or nothing; keep their results.

    Each in float64, its result rounded to float32 once: so a sum, a sine or a linspace is the same
    on every processor, and a product, a quotient or a root is what float32 gives anyway.
    """
    for node in list(graph.graph.nodes):
        schema = nodes.schema(node)
        if schema is None or not all(map(nodes.is_parameter, node.all_input_nodes)):
            continue
        if torch.Tag.nondeterministic_seeded in node.target.tags or len(schema.returns) != 1:
            continue
        if node.target.namespace == "quantized_decomposed":
            continue  # codes of a model that is quantized already
        with torch.no_grad(), float64_by_default():
            found = compute(node.target, *_values(graph, (node.args, node.kwargs)))
        if isinstance(found, torch.Tensor):
            value = narrow(found, node.meta["val"].dtype)
            constant = add_constant(graph, node, f"{node.name}_folded", value)
            node.replace_all_uses_with(constant)
            graph.graph.erase_node(node)


def _values(graph: GraphModule, arguments: Any) -> Any:
    return torch.fx.node.map_arg(arguments, lambda node: wide(nodes.attribute(graph, node)))


def add_constant(graph: GraphModule, before: Node, name: str, value: torch.Tensor) -> Node:
    """Add a buffer to the graph's module and a node that reads it."""
    unique, count = name, 0
    while hasattr(graph, unique):
        count += 1
        unique = f"{name}_{count}"
    graph.register_buffer(unique, value.detach().clone())
    with graph.graph.inserting_before(before):
        node = graph.graph.get_attr(unique)
    fake = before.meta["val"].fake_mode
    node.meta.update({key: before.meta[key] for key in _PLACE if key in before.meta})
    node.meta["val"] = fake.from_tensor(value.detach(), static_shapes=True)
    return node


def drop_unused(graph: GraphModule) -> GraphModule:
    """Delete parameters and buffers that no node reads."""
    read = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
    held = [name for name, _ in graph.named_parameters(remove_duplicate=False)]
    held += [name for name, _ in graph.named_buffers(remove_duplicate=False)]
    for name in held:
        owner, _, leaf = name.rpartition(".")
        if name not in read:
            delattr(graph.get_submodule(owner), leaf)
    return graph
