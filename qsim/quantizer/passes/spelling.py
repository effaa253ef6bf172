"""Passes that leave one spelling of each: arguments, pools, slices, moves, numbers."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

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


def single_output_pools(graph: GraphModule) -> None:
    """Replace max_pool with indices by max_pool where nothing reads the indices."""
    plain = {
        _aten.max_pool3d_with_indices.default: _aten.max_pool3d.default,
        _aten.max_pool2d_with_indices.default: _aten.max_pool2d.default,
        _aten.max_pool1d_with_indices.default: _aten.max_pool1d.default,
    }
    for node in list(graph.graph.nodes):
        if node.target not in plain:
            continue
        parts = [u for u in node.users if u.target is operator.getitem and u.users]
        if any(part.args[1] != 0 for part in parts) or not parts:
            continue
        first = parts[0]
        node.target = plain[node.target]
        node.meta["val"] = first.meta["val"]
        for user in list(node.users):
            user.replace_all_uses_with(node)
            graph.graph.erase_node(user)


def adaptive_pools(graph: GraphModule) -> None:
    """Replace adaptive_max_pool by max_pool where windows are equal and nobody reads indices."""
    plain = {
        getattr(_aten, f"adaptive_max_pool{n}d").default: getattr(_aten, f"max_pool{n}d").default
        for n in (1, 2, 3)
    }
    for node in list(graph.graph.nodes):
        value = nodes.only_value(node) if node.target in plain else None
        kernel = _equal_windows(node) if value is not None else None
        if value is None or kernel is None:
            continue
        node.target, node.args, node.kwargs = plain[node.target], (node.args[0], kernel), {}
        node.meta["val"] = value.meta["val"]
        value.replace_all_uses_with(node)
        for part in list(node.users):
            if part.target is operator.getitem and not part.users:
                graph.graph.erase_node(part)


def _equal_windows(node: Node) -> list[int] | None:
    """Return the window of an adaptive pool, or None where windows differ or a size is open."""
    wanted = list(nodes.argument(node, 1, "output_size"))
    sizes = (nodes.shape(node.args[0]) or ())[-len(wanted) :]
    known = all(isinstance(size, int) and size > 0 for size in (*sizes, *wanted))
    if not known or len(sizes) < len(wanted):
        return None
    pairs = list(zip(sizes, wanted, strict=True))
    return None if any(a % b for a, b in pairs) else [a // b for a, b in pairs]


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


def plain_moves(graph: GraphModule) -> None:
    """Write mT, swapaxes, movedim and unflatten as transpose, permute and reshape."""
    for node in graph.graph.nodes:
        name = nodes.operator_name(node)
        if node.op != "call_function" or node.kwargs or nodes.shape(node) is None:
            continue
        if name == "mT":
            node.target, node.args = _aten.transpose.int, (node.args[0], -2, -1)
        elif name in ("swapaxes", "swapdims"):
            node.target = _aten.transpose.int
        elif name in ("movedim", "moveaxis"):
            rank = len(nodes.shape(node) or ())
            probe = torch.empty([2] * rank, device="meta")  # all strides differ
            moved = probe.movedim(*node.args[1:]).stride()
            dims = [probe.stride().index(stride) for stride in moved]
            node.target, node.args = _aten.permute.default, (node.args[0], dims)
        elif name == "unflatten":
            sizes = [d if isinstance(d, int) else -1 for d in nodes.shape(node) or ()]
            if sizes.count(-1) <= 1:
                node.target, node.args = _aten.reshape.default, (node.args[0], sizes)


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
