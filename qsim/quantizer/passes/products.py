"""A pass over products of tensors in spellings other than linear and matmul."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.rewriting import insert, replace

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def plain_products(graph: GraphModule) -> None:
    """Write einsum, tensordot, inner, baddbmm and products with a vector as linear and matmul."""
    for node in list(graph.graph.nodes):
        made: Node | None = None
        if node.target is _aten.einsum.default:
            made = _einsum(graph, node)
        elif node.target is _aten.inner.default and _is_matrix(node.args[1]):
            made = insert(graph, node, _aten.linear.default, *node.args)
        elif node.target is _aten.tensordot.default and _is_matrix(node.args[1]):
            rank = len(nodes.shape(node.args[0]) or ())
            mine, theirs = (*node.args[2:4], [], [])[:2]
            if [d % rank for d in mine] == [rank - 1] and [d % 2 for d in theirs] == [0]:
                made = insert(graph, node, _aten.matmul.default, *node.args[:2])
        elif node.target is _aten.baddbmm.default and not (
            set(node.kwargs.values()) | set(node.args[3:])
        ) - {1}:
            product = insert(graph, node, _aten.matmul.default, *node.args[1:3])
            made = insert(graph, node, _aten.add.Tensor, product, node.args[0])
        elif nodes.operator_name(node) in ("matmul", "mv") and node.op == "call_function":
            made = _by_vector(graph, node)
        if made is not None:
            replace(graph, node, made)


def _is_matrix(node: object) -> bool:
    return nodes.is_parameter(node) and nodes.has_rank(node, 2)


def _by_vector(graph: GraphModule, node: Node) -> Node | None:
    """Multiply by a constant vector as by a matrix of one column."""
    vector: Any = node.args[1]
    fits = nodes.is_parameter(vector) and nodes.has_rank(vector, 1)
    if not fits or len(nodes.shape(node.args[0]) or ()) < 2:
        return None
    column = nodes.attribute(graph, vector).reshape(-1, 1)
    held = add_constant(graph, node, f"{node.name}_column", column)
    product = insert(graph, node, _aten.matmul.default, node.args[0], held)
    return insert(graph, node, _aten.squeeze.dim, product, -1)


def _einsum(graph: GraphModule, node: Node) -> Node | None:
    """Write an einsum of two operands that sums over one label as a matmul, or leave it."""
    equation = str(node.args[0]).replace(" ", "")
    operands: Any = node.args[1]
    if "->" not in equation or not isinstance(operands, (list, tuple)) or len(operands) != 2:
        return None
    inputs, out = equation.split("->")
    first, second = inputs.split(",")
    a, b = operands
    if nodes.is_parameter(a):
        (a, first), (b, second) = (b, second), (a, first)
    labels = _labels(first, second, out, a, b)
    if labels is None:
        return None
    first, second, out = labels
    batch = [x for x in first if x in second and x in out]
    summed = [x for x in first if x in second and x not in out]
    mine = [x for x in first if x not in second]
    theirs = [x for x in second if x not in first]
    if len(summed) != 1 or len(theirs) != 1 or not mine or set(mine + theirs) - set(out):
        return None
    if batch and len(mine) != 1:
        return None
    a = _arranged(graph, node, a, first, [*batch, *mine, *summed])
    b = _arranged(graph, node, b, second, [*batch, *summed, *theirs])
    product = insert(graph, node, _aten.matmul.default, a, b)
    return _arranged(graph, node, product, "".join((*batch, *mine, *theirs)), list(out))


def _labels(first: str, second: str, out: str, a: Node, b: Node) -> tuple[str, str, str] | None:
    """Return the labels with letters for an ellipsis; None where one occurs twice in an operand."""
    if "..." in second and "..." not in first:
        return None
    wide = len(nodes.shape(a) or ()) - len(first.replace("...", ""))
    also = len(nodes.shape(b) or ()) - len(second.replace("...", ""))
    if wide < 0 or ("..." in second and also != wide):
        return None
    dots = _LETTERS[:wide]
    if set(dots) & set(first + second + out):
        return None
    found = tuple(each.replace("...", dots) for each in (first, second, out))
    if any(len(set(each)) != len(each) for each in found):
        return None
    return found  # type: ignore[return-value]  # three of them


def _arranged(graph: GraphModule, node: Node, x: Node, labels: str, wanted: list[str]) -> Node:
    if list(labels) == wanted:
        return x
    order = [labels.index(label) for label in wanted]
    if nodes.is_parameter(x):
        moved = nodes.attribute(graph, x).permute(order).contiguous()
        return add_constant(graph, node, f"{node.name}_operand", moved)
    return insert(graph, node, _aten.permute.default, x, order)
