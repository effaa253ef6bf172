"""A pass over constants that are repeated for every sample, such as the class token of a ViT.

A constant needs no copy of its own in each sample: what broadcasts reads it as it is. Beside
activations (``cat``) it has no batch to stand in, so room is made for it with zeros, and it is
added there: ``cat([token, x])`` is ``pad(x) + [token, 0]``, exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import is_elementwise, nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.rewriting import insert, replace

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from qsim.target import Target

_aten = torch.ops.aten
_NEEDED: Final = ("pad", "add")


def plain_repeats(graph: GraphModule, target: Target) -> None:
    """Let operators read constants themselves, not what is repeated of them over the batch."""
    for node in list(graph.graph.nodes):
        if not _repeats(node):
            continue
        for user in list(node.users):
            if _broadcasts(user, node):
                user.replace_input_with(node, node.args[0])
            elif user.target is _aten.cat.default and all(map(target.has, _NEEDED)):
                _make_room(graph, user)


def _repeats(node: Any) -> bool:
    """Return whether a node repeats a constant over an open batch."""
    if getattr(node, "target", None) is not _aten.expand.default:
        return False
    made = nodes.shape(node) or (1,)
    known = all(isinstance(size, int) for size in made[1:])
    return nodes.is_parameter(node.args[0]) and not isinstance(made[0], int) and known


def _broadcasts(user: Node, node: Node) -> bool:
    """Return whether an operator makes the same of a constant that it repeats itself."""
    if user.target is _aten.scaled_dot_product_attention.default:
        return node not in user.args[:3]
    if not is_elementwise(user):
        return False
    others = (
        read for read in user.all_input_nodes if not (nodes.is_parameter(read) or read is node)
    )
    return any(str(nodes.shape(read)) == str(nodes.shape(user)) for read in others)


def _make_room(graph: GraphModule, node: Node) -> None:
    """Write a concatenation of activations, with constants before or behind, as a sum."""
    parts, dim = list(node.args[0]), nodes.argument(node, 1, "dim", 0)  # type: ignore[arg-type]
    sizes = nodes.shape(node) or ()
    dim %= len(sizes)
    given = [number for number, part in enumerate(parts) if not _repeats(part)]
    if not nodes.is_float(node) or dim == 0 or not given:
        return
    first, last = given[0], given[-1]
    lengths = [(nodes.shape(part) or ())[dim] for part in parts]
    if len(given) != last - first + 1 or not all(isinstance(size, int) for size in sizes[1:]):
        return
    before, behind = sum(lengths[:first]), sum(lengths[last + 1 :])
    term = torch.zeros(1, *sizes[1:])
    start = 0
    for part, length in zip(parts, lengths, strict=True):
        if _repeats(part):
            shape = (1, *(nodes.shape(part) or ())[1:])
            term.narrow(dim, start, length).copy_(
                nodes.attribute(graph, part.args[0]).expand(shape)
            )
        start += length
    held = add_constant(graph, node, f"{node.name}_constants", term)
    pads = [0, 0] * (len(sizes) - 1 - dim) + [before, behind]
    made = parts[first]
    if len(given) > 1:
        made = insert(graph, node, _aten.cat.default, parts[first : last + 1], dim)
    made = insert(graph, node, _aten.constant_pad_nd.default, made, pads, 0.0, name="room")
    replace(graph, node, insert(graph, node, _aten.add.Tensor, made, held, name="beside"))
