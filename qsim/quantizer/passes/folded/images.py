"""Convolutions and pools of images of which each sample has several.

A pool computes every channel by itself, so the images' channels are channels of one image. A
convolution has one dimension more, in which its kernel is 1; where it has no room for one, or is
transposed, the images are groups of its channels, and its weights are repeated for each.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.passes.folded.layout import Apart

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.quantizer.passes.folded.rewriter import Rewriter

_aten = torch.ops.aten
_DEEPER: Final = {1: _aten.conv2d, 2: _aten.conv3d}
_BEHIND_CHANNELS: Final = 2


def pool(graph: Rewriter, node: Node) -> Apart | None:
    """Compute the channels of all images of a sample as channels of one image."""
    source = graph.read(node.args[0])
    given, made = nodes.shape(node.args[0]), nodes.shape(node)
    if source is None or given is None or made is None or not graph.batch(node):
        return None
    spatial = _spatial(node)
    lead = len(given) - spatial
    if not 1 <= lead <= 2 or source.layout.dim >= lead:
        return None
    if source.fold > _BEHIND_CHANNELS:
        source = graph.ordered(node, source)
    shape = nodes.shape(source.node) or ()
    kept = shape[: len(shape) - spatial]
    held = graph.reshape(node, source.node, [-1, math.prod(kept[1:]), *given[lead:]])
    computed = graph.insert(node, node.target, held, *node.args[1:], **node.kwargs)
    apart = graph.reshape(node, computed, [-1, *kept[1:], *made[lead:]])
    return replace(source, node=apart, moved=False)


def _spatial(node: Node) -> int:
    """Return how many dimensions an operator's windows, or its pads, have."""
    name = nodes.operator_name(node)
    if name == "pad":
        return len(node.args[1]) // 2  # type: ignore[arg-type]
    return int(name[-2])


def convolution(graph: Rewriter, node: Node) -> Apart | None:
    """Convolve every image of a sample with the same weights."""
    source, shape = graph.read(node.args[0]), nodes.shape(node.args[1])
    weight, bias = node.args[1], nodes.argument(node, 2, "bias")
    known = nodes.is_parameter(weight) and (bias is None or nodes.is_parameter(bias))
    if source is None or shape is None or not known or not source.fold:
        return None
    if source.layout.dim != 0 or source.rank != len(shape):
        return None
    if nodes.is_transposed(node) or "transpose" in str(node.target) or len(shape) == 5:
        return _in_groups(graph, node, source)
    packet = _DEEPER.get(len(shape) - 2)
    if packet is None or str(node.target).startswith("aten.convolution"):
        return _in_groups(graph, node, source)
    value = graph.placed(node, source, _BEHIND_CHANNELS)
    held = nodes.attribute(graph.graph, weight).unsqueeze(2)  # type: ignore[arg-type]
    deeper = add_constant(graph.graph, node, f"{node.name}_weight", held)
    stride, _, dilation, groups = nodes.convolution(node, shape[2:])
    padding = nodes.argument(node, 4, "padding", 0)
    rank = len(shape) - 2
    if isinstance(padding, str):
        target: Any = packet.padding
    else:
        target, padding = packet.default, [0, *nodes.per_dimension(padding, rank)]
    made = graph.insert(
        node, target, value.node, deeper, bias, [1, *stride], padding, [1, *dilation], groups
    )
    return replace(value, node=made, moved=False)


def _in_groups(graph: Rewriter, node: Node, source: Apart) -> Apart | None:
    """Convolve images as groups of channels, each with the weights repeated."""
    schema = nodes.schema(node)
    names = [argument.name for argument in schema.arguments]
    rest = schema.arguments[len(node.args) :]
    args: list[Any] = [*node.args, *(node.kwargs.get(a.name, a.default_value) for a in rest)]
    count, made = source.layout.count, nodes.shape(node) or ()
    at = names.index("groups")
    value = graph.ordered(node, source).node
    shape = nodes.shape(value) or ()
    args[0] = graph.reshape(node, value, [-1, count * shape[2], *shape[3:]])
    for place in (1, 2):
        if args[place] is not None:
            held = nodes.attribute(graph.graph, args[place])
            held = held.repeat(count, *[1] * (held.dim() - 1))
            name = f"{node.name}_{names[place]}"
            args[place] = add_constant(graph.graph, node, name, held)
    args[at] = int(args[at]) * count
    computed = graph.insert(node, node.target, *args)
    apart = graph.reshape(node, computed, [-1, count, *made[1:]])
    return Apart(apart, source.layout, 1)


def by_itself(graph: Rewriter, node: Node) -> Apart | None:
    """Leave an operator that computes each row of the batch, and take its rows apart."""
    source = graph.read(node.args[0])
    shape, found = nodes.shape(node.args[0]), graph.batch(node)
    if source is None or shape is None or source.is_repeated or found is None:
        return None
    if found != (0, source.layout.count) or source.layout.dim:
        return None
    if not source.moved:
        given: Any = node.args[0]
        node.replace_input_with(given, graph.folded(node, source, shape))
    return replace(graph.unfolded(node.next, node, source.layout), moved=True)
