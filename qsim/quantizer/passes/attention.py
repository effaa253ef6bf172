"""A pass over attention: a product, a mask, softmax, a product, as datapaths have them.

``scaled_dot_product_attention`` is ``softmax(q k' * scale + mask) v``; nn.MultiheadAttention and
nn.TransformerEncoderLayer export it or, where they return the weights, its parts. Heads that share
keys and values (``enable_gqa``) are rows of one product: no key is repeated.

A mask that is known before the first sample is added, see `masks`. One that an input makes may hold
minus infinity, which no code stands for, anywhere: then the mask and the softmax stay in torch, and
only the products leave it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.passes.masks import RUN_TIME, mask_values, stay, table_of
from qsim.quantizer.rewriting import insert, replace
from qsim.registry import Reason

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from qsim.target import Target

_aten = torch.ops.aten
_NEEDED: Final = ("matmul", "softmax", "requantize")
_OPEN: Final = Reason("arguments", "its sizes depend on the input, or it drops weights at random")


def plain_attention(graph: GraphModule, target: Target) -> None:
    """Write attention as products and softmax, where the target has both."""
    lacking = [name for name in _NEEDED if not target.has(name)]
    for node in list(graph.graph.nodes):
        if node.target is _aten.scaled_dot_product_attention.default:
            if lacking:
                stay(node, Reason.lacking(target.name, *lacking))
            elif _is_plain(node):
                replace(graph, node, _decomposed(graph, node, target))
            elif nodes.is_float(node):
                stay(node, _OPEN)
        elif lacking:
            continue
        elif node.target is _aten.baddbmm.default and not node.kwargs:
            mask, a, b = node.args
            product = _add(graph, node, _aten.bmm.default, (a, b))
            replace(graph, node, _add(graph, node, _aten.add.Tensor, (product, mask)))


def _is_plain(node: Node) -> bool:
    """Return whether sizes are known but for the batch, and nothing is dropped at random."""
    q, k, v = (nodes.shape(each) for each in node.args[:3])
    if q is None or k is None or v is None or not nodes.is_float(node):
        return False
    ranks = len(q) == len(k) == len(v) >= 2
    known = all(isinstance(size, int) for dims in (q, k, v) for size in dims[1:])
    return ranks and known and not nodes.argument(node, 4, "dropout_p", 0.0)


def _decomposed(graph: GraphModule, node: Node, target: Target) -> Node:
    query, key, value = node.args[:3]
    q, k = nodes.shape(query) or (), nodes.shape(key) or ()

    def call(operator: Any, *args: Any) -> Node:
        return _add(graph, node, operator, args)

    scale = node.kwargs.get("scale")
    factor = float(q[-1]) ** -0.5 if scale is None else float(scale)  # type: ignore[arg-type]
    if factor != 1.0:
        held = add_constant(graph, node, f"{node.name}_scale", torch.tensor([factor]))
        query = call(_aten.mul.Tensor, query, held)
    shared = len(q) >= 3 and node.kwargs.get("enable_gqa") is True and q[-3] != k[-3]
    if shared:
        rows = q[-3] // k[-3] * q[-2]
        query = call(_aten.reshape.default, query, [*_batch(q[:-3]), k[-3], rows, q[-1]])
    scores = call(_aten.matmul.default, query, call(_aten.transpose.int, key, -2, -1))
    if shared:
        scores = call(_aten.reshape.default, scores, [*_batch(q[:-1]), k[-2]])
    weights = _weights(graph, node, scores, target)
    if shared:
        weights = call(_aten.reshape.default, weights, [*_batch(q[:-3]), k[-3], rows, k[-2]])
    made = call(_aten.matmul.default, weights, value)
    if shared:
        last = (nodes.shape(value) or ())[-1]
        made = call(_aten.reshape.default, made, [*_batch(q[:-1]), last])
    return made


def _add(graph: GraphModule, node: Node, operator: Any, args: tuple[Any, ...]) -> Node:
    """Add a part of an attention, named as in an export of its parts."""
    return insert(graph, node, operator, *args, name=str(operator).split(".")[1].strip("_"))


def _batch(sizes: tuple[Any, ...]) -> list[int]:
    """Return sizes for a reshape, whose first one may be any batch."""
    return [size if isinstance(size, int) else -1 for size in sizes]


def _weights(graph: GraphModule, node: Node, scores: Node, target: Target) -> Node:
    """Return softmax of the scores, masked."""
    mask = nodes.argument(node, 3, "attn_mask")
    if nodes.argument(node, 5, "is_causal", False) is True:
        rows, columns = (nodes.shape(scores) or ())[-2:]
        allowed = torch.ones(rows, columns, dtype=torch.bool).tril()
        mask = add_constant(graph, node, f"{node.name}_causal", allowed)
    if mask is None:
        return _add(graph, node, _aten.softmax.int, (scores, -1))
    floats = nodes.is_float(mask)
    if table_of(mask) is not None and target.has("add"):
        values = mask_values(graph, mask)
        if values is not None and not bool((values == float("-inf")).all(-1).any()):
            masked = _add(graph, node, _aten.add.Tensor, (scores, mask))
            return _add(graph, node, _aten.softmax.int, (masked, -1))
    if nodes.is_parameter(mask):
        held = nodes.attribute(graph, mask)
        values = held if floats else torch.zeros(held.shape).masked_fill(~held, float("-inf"))
        if not bool(values.any()):  # it hides nothing
            return _add(graph, node, _aten.softmax.int, (scores, -1))
        if target.has("add") and not bool(
            (values == float("-inf")).all(-1).any()
        ):  # of such a row no weight is left
            term = add_constant(graph, node, f"{node.name}_mask", values)
            masked = _add(graph, node, _aten.add.Tensor, (scores, term))
            return _add(graph, node, _aten.softmax.int, (masked, -1))
    if floats:
        masked = stay(_add(graph, node, _aten.add.Tensor, (scores, mask)), RUN_TIME)
    else:
        hidden = _add(graph, node, _aten.logical_not.default, (mask,))
        filled = (scores, hidden, float("-inf"))
        masked = stay(_add(graph, node, _aten.masked_fill.Scalar, filled), RUN_TIME)
    safe = _aten._safe_softmax.default  # noqa: SLF001 - its name
    return stay(_add(graph, node, safe, (masked, -1)), RUN_TIME)
