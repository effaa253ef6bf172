"""Passes that leave one spelling of each: arguments, positions, slices, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from torch.fx import GraphModule

_aten = torch.ops.aten
_SLICE_END = 2**63 - 1
_ELEMENTWISE = frozenset({_aten.add.Tensor, _aten.sub.Tensor, _aten.mul.Tensor})


def positional(graph: GraphModule) -> None:
    """Move keyword arguments of operators with a pattern to their positions, as far as they go."""
    for node in graph.graph.nodes:
        schema = nodes.schema(node)
        if schema is None or not node.kwargs or not registry.candidates(node.target):
            continue
        args, kwargs = list(node.args), dict(node.kwargs)
        for argument in schema.arguments[len(args) :]:
            if argument.kwarg_only or not kwargs:
                break
            if argument.name not in kwargs and not argument.has_default_value():
                break
            args.append(kwargs.pop(argument.name, argument.default_value))
        node.args, node.kwargs = tuple(args), kwargs


def positions_of_max(graph: GraphModule) -> None:
    """Replace max over a dimension by argmax where nothing reads the values."""
    for node in list(graph.graph.nodes):
        parts = list(node.users)
        read = [part for part in parts if part.users]
        if node.target is not _aten.max.dim or len(read) != 1 or read[0].args[1] != 1:
            continue
        (positions,) = read
        dim, keepdim = nodes.argument(node, 1, "dim"), nodes.argument(node, 2, "keepdim", False)
        node.target, node.args, node.kwargs = _aten.argmax.default, (node.args[0], dim, keepdim), {}
        node.meta["val"] = positions.meta["val"]
        positions.replace_all_uses_with(node)
        for part in parts:
            graph.graph.erase_node(part)


def drop_whole_slices(graph: GraphModule) -> None:
    """Remove slices that take all of a dimension: ``x[:, :4]`` is exported as two slices."""
    for node in list(graph.graph.nodes):
        if node.target is not _aten.slice.Tensor or node.kwargs:
            continue
        start, end = nodes.argument(node, 2, "start"), nodes.argument(node, 3, "end")
        step = nodes.argument(node, 4, "step", 1)
        if start in (0, None) and (end is None or end == _SLICE_END) and step == 1:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)


def plain_numbers(graph: GraphModule) -> None:
    """Make a constant of every number that an element-wise operator of fp32 reads."""
    for node in list(graph.graph.nodes):
        if node.target is _aten.rsub.Scalar and len(node.args) == 2:
            node.target, node.args = _aten.sub.Tensor, (node.args[1], node.args[0])
        if node.target not in _ELEMENTWISE or not nodes.is_float(node) or not nodes.shape(node):
            continue
        for index, value in enumerate(node.args[:2]):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                held = torch.tensor([value], dtype=torch.float32)
                constant = add_constant(graph, node, f"{node.name}_number", held)
                node.update_arg(index, constant)
