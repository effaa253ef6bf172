"""A pass over norms that a model writes by hand: one operator, where the target has its primitive.

``x * rsqrt(mean(x * x) + eps) * w`` is an RMS norm (LLaMA's and T5's, casts to float32 included).
If what is normalized is ``x - mean(x)``, it is a layer norm, as it is with ``var(unbiased=False)``
for the mean of squares; ``+ b`` may follow. Between codes each step would lose half a code, and the
mean of squares most of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Node

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.passes.written.reading import (
    alike,
    is_square,
    number_beside,
    reduced,
    root_of,
)
from qsim.quantizer.rewriting import insert, replace

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from qsim.target import Target

_aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class _Norm:
    """A quotient of values and the root of their mean square.

    Attributes:
        source: what is normalized.
        centered: its mean is taken off first.
        dims: how many of the last dimensions a row has.
        eps: added to the mean of squares.
        scaled: the product with a weight in front of the quotient, if one is there.
    """

    source: Node
    centered: bool
    dims: int
    eps: float
    scaled: Node | None = None


def whole_norms(graph: GraphModule, target: Target) -> None:
    """Write norms that stand in plain operators as ``rms_norm`` and ``layer_norm``."""
    for node in list(graph.graph.nodes):
        found = _quotient(graph, node) if node.users else None
        if found is not None and target.has("layer_norm" if found.centered else "rms_norm"):
            _write(graph, node, found)


def _write(graph: GraphModule, node: Node, norm: _Norm) -> None:
    sizes = list(nodes.shape(norm.source) or ())[-norm.dims :]
    last: Node = node
    weight = None if norm.scaled is None else _row(graph, node, norm.scaled, sizes)
    if norm.scaled is None:
        last, weight = _scaled(graph, node, sizes, _aten.mul.Tensor)
    elif weight is None:
        return
    if not norm.centered:
        args: tuple[Any, ...] = (norm.source, sizes, weight, norm.eps)
        replace(graph, last, insert(graph, last, _aten.rms_norm.default, *args, name="rms_norm"))
        return
    last, bias = _scaled(graph, last, sizes, _aten.add.Tensor)
    args = (norm.source, sizes, weight, bias, norm.eps)
    replace(graph, last, insert(graph, last, _aten.layer_norm.default, *args, name="layer_norm"))


def _scaled(
    graph: GraphModule, node: Node, sizes: list[int], operator: Any
) -> tuple[Node, Node | None]:
    """Return the operator behind a node, with a constant per element of a row, if that follows."""
    readers = list(node.users)
    if len(readers) != 1 or readers[0].target is not operator:
        return node, None
    found = _row(graph, readers[0], readers[0], sizes)
    return (node, None) if found is None else (readers[0], found)


def _row(graph: GraphModule, before: Node, node: Node, sizes: list[int]) -> Node | None:
    """Return the constant that an operator takes beside a tensor, as one row of these sizes."""
    constants = [read for read in node.args if nodes.is_parameter(read)]
    if len(constants) != 1 or len(node.args) != 2 or node.kwargs:
        return None
    constant: Any = constants[0]
    value = nodes.attribute(graph, constant)
    if list(value.shape) == sizes:
        return constant if isinstance(constant, Node) else None
    leading = value.shape[: max(value.dim() - len(sizes), 0)]
    if value.numel() > math.prod(sizes) or any(size != 1 for size in leading):
        return None
    held = value.reshape(value.shape[len(leading) :]).expand(sizes)
    return add_constant(graph, before, f"{node.name}_row", held)


def _quotient(graph: GraphModule, node: Node) -> _Norm | None:
    """Return the norm that a product or a quotient computes."""
    name = nodes.operator_name(node)
    if node.op != "call_function" or name not in ("mul", "div") or len(node.args) != 2:
        return None
    if node.kwargs or not nodes.is_float(node):
        return None
    a, b = node.args
    for x, factor in ((a, b), (b, a)) if name == "mul" else ((a, b),):
        if isinstance(x, Node) and isinstance(factor, Node):
            variance = root_of(graph, factor, inverse=name == "mul")
            found = None if variance is None else _norm(graph, x, variance)
            if found is not None and _fits(found):
                return found
    return None


def _fits(norm: _Norm) -> bool:
    """Return whether rows are of known size, and not the batch."""
    sizes = nodes.shape(norm.source) or ()
    inner = norm.dims < len(sizes) and not nodes.is_parameter(norm.source)
    return inner and all(isinstance(size, int) for size in sizes[-norm.dims :])


def _norm(graph: GraphModule, x: Node, variance: Node) -> _Norm | None:
    """Return the norm of values and what their root is taken of; a weight may be in x already."""
    eps, spread = 0.0, variance
    if nodes.operator_name(variance) == "add":
        eps, spread = number_beside(graph, variance) or (eps, spread)
    inner = [read for read in x.args if not nodes.is_parameter(read)]
    weighted = nodes.operator_name(x) == "mul" and len(x.args) == 2 and len(inner) == 1
    for values, scaled in ((x, None), (inner[0] if weighted else None, x)):
        found = _rows(values, spread, eps, scaled) if isinstance(values, Node) else None
        if found is not None:
            return found
    return None


def _rows(x: Node, spread: Node, eps: float, scaled: Node | None) -> _Norm | None:
    of = reduced(spread)
    if of is None:
        return None
    difference = x.target is _aten.sub.Tensor and not x.kwargs and len(x.args) == 2
    mean = reduced(x.args[1]) if difference else None
    source = x.args[0] if x.args else None
    centered = mean is not None and mean.kind == "mean" and alike(mean.source, source)
    if centered and mean is not None and mean.dims == of.dims and isinstance(source, Node):
        same = alike(of.source, source) if of.kind == "var" else is_square(of.source, x)
        return _Norm(source, True, of.dims, eps, scaled) if same else None
    if of.kind == "mean" and is_square(of.source, x):
        return _Norm(x, False, of.dims, eps, scaled)
    return None
