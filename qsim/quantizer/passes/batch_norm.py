"""Folds a batch norm into the convolution or linear before it where that is exact."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.passes.folded_norm import FOLDED, Norm
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_BATCH_NORM = _aten.batch_norm.default


def fold_batch_norm(graph: GraphModule) -> None:
    """Fold a batch norm into the convolution or linear that it alone reads; spell out the others.

    Spelled out (a product and a sum with constants, on the host), because PT2E would fold it where
    it must not, and while a batch norm is left its convert searches for patterns of QAT: half a
    minute of torch.export. One without running statistics becomes torch's kernel of it.
    """
    for norm in list(graph.graph.nodes):
        if norm.target is not _BATCH_NORM:
            continue
        if norm.args[5] is True:
            _with_its_own_statistics(graph, norm)
            continue
        if not _is_constant(norm):
            continue
        producer = norm.args[0]
        factor, offset = _affine(graph, norm)
        if isinstance(producer, torch.fx.Node) and _folds(producer):
            producer.meta[FOLDED] = _norm(graph, producer, norm)
            _fold(graph, producer, factor, offset)
            norm.replace_all_uses_with(producer)
        else:
            _spell_out(graph, norm, factor, offset)
        graph.graph.erase_node(norm)


def _with_its_own_statistics(graph: GraphModule, norm: Node) -> None:
    """Write a batch norm that takes mean and variance from its batch as torch's kernel of it.

    Exact: it is what ``batch_norm`` calls. PT2E takes every ``batch_norm`` for one with statistics.
    """
    held = norm.meta["val"]
    args = (*norm.args[:3], None, None, True, *norm.args[6:8])
    with graph.graph.inserting_before(norm):
        whole = graph.graph.call_function(_aten.native_batch_norm.default, args)
        result = graph.graph.call_function(operator.getitem, (whole, 0))
    for node in (whole, result):
        node.meta = dict(norm.meta)
    per_channel = held.new_empty(held.shape[1:2])
    whole.meta["val"] = (held, per_channel, per_channel)
    norm.replace_all_uses_with(result)
    graph.graph.erase_node(norm)


def _is_constant(norm: Node) -> bool:
    constant = all(a is None or nodes.is_parameter(a) for a in norm.args[1:5])
    return (
        constant and norm.args[3] is not None and norm.args[4] is not None and norm.args[5] is False
    )


def _folds(producer: Node) -> bool:
    # A linear of more than two dimensions has its features last, batch norm normalises axis 1.
    flat = len(nodes.shape(producer) or ()) == 2
    linear = flat and registry.accepts(producer, "linear")
    return len(producer.users) == 1 and (linear or registry.accepts(producer, "conv"))


def _double(graph: GraphModule, node: Any) -> torch.Tensor:
    return nodes.attribute(graph, node).to(torch.float64)


def _affine(graph: GraphModule, norm: Node) -> tuple[torch.Tensor, torch.Tensor]:
    """Return factor and offset per channel, in double: one rounding to fp32 comes at the end."""
    gamma, beta, mean, variance = norm.args[1:5]
    # Not rsqrt: a quotient and a root are rounded alike on every processor.
    factor = 1.0 / torch.sqrt(_double(graph, variance) + float(str(norm.args[7])))
    factor = factor if gamma is None else factor * _double(graph, gamma)
    offset = -_double(graph, mean) * factor
    return factor, offset if beta is None else offset + _double(graph, beta)


def _norm(graph: GraphModule, producer: Node, norm: Node) -> Norm:
    """Return what training needs of a batch norm, as it is before it is folded."""
    weight, bias = _double(graph, producer.args[1]), nodes.argument(producer, 2, "bias")
    gamma, beta, mean, variance = norm.args[1:5]
    mean, variance = _double(graph, mean), _double(graph, variance)
    return Norm(
        weight,
        torch.zeros_like(mean) if bias is None else _double(graph, bias),
        torch.ones_like(mean) if gamma is None else _double(graph, gamma),
        torch.zeros_like(mean) if beta is None else _double(graph, beta),
        mean,
        variance,
        float(str(norm.args[7])),
        float(str(norm.args[6])),
    )


def _fold(graph: GraphModule, producer: Node, factor: torch.Tensor, offset: torch.Tensor) -> None:
    weight = _double(graph, producer.args[1])
    bias = nodes.argument(producer, 2, "bias")
    if bias is not None:
        offset = offset + _double(graph, bias) * factor
    scaled = weight * factor.reshape([-1] + [1] * (weight.dim() - 1))
    args = [*producer.args, None][: max(3, len(producer.args))]
    # New constants: the weight may be read by another operator too.
    args[1] = add_constant(graph, producer, f"{producer.name}_weight", scaled.float())
    args[2] = add_constant(graph, producer, f"{producer.name}_bias", offset.float())
    producer.args = tuple(args)


def _spell_out(graph: GraphModule, norm: Node, factor: torch.Tensor, offset: torch.Tensor) -> None:
    value: Any = norm.args[0]
    shape = [-1] + [1] * (len(nodes.shape(norm) or ()) - 2)
    dtype = norm.meta["val"].dtype
    steps = (("mul", factor), ("add", offset))
    for name, constant in steps:
        held = add_constant(
            graph, norm, f"{norm.name}_{name}_by", constant.reshape(shape).to(dtype)
        )
        with graph.graph.inserting_before(norm):
            step = graph.graph.create_node(
                "call_function",
                getattr(_aten, name).Tensor,
                (value, held),
                name=f"{norm.name}_{name}",
            )
        step.meta = dict(norm.meta)
        value = step
    norm.replace_all_uses_with(value)
