"""Reading what a hand-written norm is made of: means and variances of rows, squares, roots."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from torch.fx import Node

from qsim.graph import nodes

if TYPE_CHECKING:
    from torch.fx import GraphModule

Kind: TypeAlias = Literal["mean", "var"]
_DEPTH: Final = 4  # of what is computed twice, as the difference from a mean may be


class Reduced(NamedTuple):
    """The mean or the variance (divided by the count) of rows, whose dimensions stay.

    Attributes:
        kind: which.
        source: the tensor.
        dims: how many of its last dimensions a row has.
    """

    kind: Kind
    source: Node
    dims: int


def reduced(node: object) -> Reduced | None:
    """Return what a node reduces, if it is a mean or a variance of rows."""
    if not isinstance(node, Node) or node.op != "call_function":
        return None
    name = nodes.operator_name(node)
    kind: Kind | None = "mean" if name == "mean" else "var" if name == "var" else None
    if node.target is operator.getitem:  # var_mean gives both
        whole, part = node.args
        if isinstance(whole, Node) and nodes.operator_name(whole) == "var_mean":
            node, kind = whole, "mean" if part else "var"
    source = node.args[0] if node.args else None
    if kind is None or not isinstance(source, Node):
        return None
    dims = _rows(node, len(nodes.shape(source) or ()))
    return None if dims is None else Reduced(kind, source, dims)


def _rows(node: Node, rank: int) -> int | None:
    """Return how many of the last dimensions are reduced and kept, by their count alone."""
    given: Any = nodes.argument(node, 1, "dim")
    less: Any
    if nodes.operator_name(node) == "mean":
        keeps, less = nodes.argument(node, 2, "keepdim", False), False
        if nodes.argument(node, 3, "dtype") is not None:
            return None
    elif str(node.target).endswith(".correction"):
        keeps, less = node.kwargs.get("keepdim", False), node.kwargs.get("correction", 1)
    else:
        less = nodes.argument(node, 2, "unbiased", True)
        keeps = nodes.argument(node, 3, "keepdim", False)
    if not given or not keeps or less or not rank:
        return None
    dims = sorted(int(dim) % rank for dim in ([given] if isinstance(given, int) else given))
    return len(dims) if dims == list(range(rank - len(dims), rank)) else None


def is_square(node: object, x: Node) -> bool:
    """Return whether a node is the square of another."""
    if not isinstance(node, Node):
        return False
    name = nodes.operator_name(node)
    if name == "mul":
        return all(alike(read, x) for read in node.args[:2]) and not node.kwargs
    squares = name == "square" or (name == "pow" and nodes.argument(node, 1, "exponent") == 2)
    return squares and alike(node.args[0], x)


def alike(a: object, b: object, depth: int = _DEPTH) -> bool:
    """Return whether two arguments are one value: computed twice, perhaps."""
    if a is b or not isinstance(a, Node) or not isinstance(b, Node):
        return a is b or (not isinstance(a, Node) and not isinstance(b, Node) and a == b)
    if not depth or a.op != "call_function" or a.target is not b.target or a.kwargs != b.kwargs:
        return False
    pairs = list(zip(a.args, b.args, strict=False))
    return len(a.args) == len(b.args) and all(alike(x, y, depth - 1) for x, y in pairs)


def root_of(graph: GraphModule, node: Node, *, inverse: bool) -> Node | None:
    """Return what a node takes the root of, or the root's inverse."""
    name, power = nodes.operator_name(node), nodes.argument(node, 1, "exponent")
    source = node.args[0] if node.args else None
    if inverse and name == "mul":  # 1 / x is written as reciprocal(x) * 1
        number, tensor = number_beside(graph, node) or (0.0, node)
        return root_of(graph, tensor, inverse=True) if number == 1 else None
    if not isinstance(source, Node):
        return None
    if inverse and name == "reciprocal":
        return root_of(graph, source, inverse=False)
    if name == "pow" and power in (0.5, -0.5):
        return source if (power < 0) == inverse else None
    return source if name == ("rsqrt" if inverse else "sqrt") else None


def number_beside(graph: GraphModule, node: Node) -> tuple[float, Node] | None:
    """Return the number that a node adds to a tensor or multiplies it by, and the tensor."""
    if node.kwargs or len(node.args) != 2:
        return None
    for tensor, number in (node.args, node.args[::-1]):
        value: Any = number
        if nodes.is_parameter(number):
            held = nodes.attribute(graph, number)  # type: ignore[arg-type]
            value = float(held) if held.numel() == 1 else None
        if isinstance(value, (int, float)) and isinstance(tensor, Node):
            return float(value), tensor
    return None
