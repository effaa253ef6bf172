"""Passes over operators that are another's under a second name, or that change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.rewriting import expand_sizes, replace, static_sizes

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten

# Each computes what the other computes, of the same arguments at the same positions.
_NAMES: Final = """
absolute abs
arccos acos
arccosh acosh
arcsin asin
arcsinh asinh
arctan atan
arctanh atanh
clip clamp
concat cat
concatenate cat
divide.Tensor div.Tensor
divide.Tensor_mode div.Tensor_mode
div.Scalar div.Tensor
div.Scalar_mode div.Tensor_mode
divide.Scalar div.Tensor
true_divide.Scalar div.Tensor
true_divide.Tensor div.Tensor
fix trunc
max.other maximum
min.other minimum
mul.Scalar mul.Tensor
multiply.Scalar mul.Tensor
multiply.Tensor mul.Tensor
negative neg
special_digamma digamma
special_erf erf
special_erfc erfc
special_erfinv erfinv
special_exp2 exp2
special_expit sigmoid
special_expm1 expm1
special_i0 i0
special_log1p log1p
special_logit logit
special_sinc sinc
sub.Scalar sub.Tensor
swapaxes transpose.int
swapdims transpose.int
subtract.Scalar sub.Tensor
subtract.Tensor sub.Tensor
add.Scalar add.Tensor
"""
_DROPOUTS: Final = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
_SAME: Final = frozenset({"alias", "clone", "contiguous", "detach", "positive"})
_CASTS: Final = frozenset({"to", "_to_copy", "type_as"})
_STACKS: Final = {"hstack": 1, "vstack": 0, "row_stack": 0, "dstack": 2, "column_stack": 1}


def _overload(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(_aten, packet), overload or "default")


_PLAIN: Final[dict[Any, Any]] = {
    _overload(old): _overload(new)
    for old, new in (line.split() for line in _NAMES.strip().splitlines())
}


def plain_names(graph: GraphModule) -> None:
    """Give operators one name, stacks and shapes taken from another tensor included."""
    for node in list(graph.graph.nodes):
        if node.target is _aten._assert_tensor_metadata.default:  # noqa: SLF001 - its name
            graph.graph.erase_node(node)
        elif node.target in _PLAIN:
            node.target = _PLAIN[node.target]
        elif node.target is _aten.rrelu.default:
            ends = (
                nodes.argument(node, 1, "lower", 1 / 8),
                nodes.argument(node, 2, "upper", 1 / 3),
            )
            if nodes.argument(node, 3, "training", False) is False:
                node.target, node.args = _aten.leaky_relu.default, (node.args[0], sum(ends) / 2)
                node.kwargs = {}
        elif nodes.operator_name(node) in _STACKS and node.op == "call_function":
            _plain_stack(node)
        elif nodes.operator_name(node) in ("view_as", "reshape_as", "expand_as"):
            _plain_shape(node)


def _plain_stack(node: Node) -> None:
    """Write a stack of tensors that have its dimension already as a concatenation."""
    dim = _STACKS[nodes.operator_name(node)]
    parts: Any = node.args[0]
    if all(len(nodes.shape(part) or ()) > max(dim, 1) for part in parts):
        node.target, node.args = _aten.cat.default, (parts, dim)


def _plain_shape(node: Node) -> None:
    """Write a shape that another tensor gives as numbers, -1 for the batch."""
    made, source = nodes.shape(node), nodes.shape(node.args[0])
    if made is None or source is None:
        return
    if nodes.operator_name(node) != "expand_as":
        sizes = static_sizes(made)
        if sizes is not None:
            node.target, node.args = _aten.reshape.default, (node.args[0], sizes)
        return
    sizes = expand_sizes(source, made)
    if sizes is not None:
        node.target, node.args = _aten.expand.default, (node.args[0], sizes)


def drop_identities(graph: GraphModule) -> None:
    """Remove operators that hand their operand on: casts to its own type, dropout, copies.

    What reads a copy that is gone reads whatever strides its operand has: views become reshapes.
    """
    changed = False
    for node in list(graph.graph.nodes):
        if not _changes_nothing(node):
            continue
        changed = True
        source: Any = node.args[0]
        returned = any(user.op == "output" for user in node.users)
        if returned and source.op in ("placeholder", "get_attr"):
            node.target, node.args, node.kwargs = _aten.clone.default, (source,), {}
        else:
            replace(graph, node, source)
    for node in graph.graph.nodes if changed else ():
        if node.target in (_aten.view.default, _aten._unsafe_view.default):  # noqa: SLF001
            node.target = _aten.reshape.default


def _changes_nothing(node: Node) -> bool:
    if node.op != "call_function" or not str(node.target).startswith("aten."):
        return False
    name = nodes.operator_name(node)
    if name in _DROPOUTS:
        return nodes.argument(node, 2, "train", False) is False
    if (
        node.target is not _aten.view.dtype
        and name in ("view", "reshape")
        and not nodes.is_float(node)
    ):  # what would stay on the host
        return str(nodes.shape(node)) == str(nodes.shape(node.args[0]))
    if name not in _SAME and name not in _CASTS:
        return False
    made, source = node.meta.get("val"), getattr(node.args[0], "meta", {}).get("val")
    return made is not None and source is not None and made.dtype == source.dtype
