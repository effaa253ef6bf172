"""Passes that leave no operator with a state: no random numbers, no writing in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.errors import ModelError
from qsim.graph import nodes, place
from qsim.quantizer.aliases import Aliases, aliases, arguments, in_place_shape, operands

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
_RANDOM = frozenset(
    {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"}
    | {"bernoulli", "exponential", "multinomial", "normal", "poisson", "uniform"}
)
_NEW: Final = "the operator that returns a new tensor"


class SharedWriteError(Exception):
    """A write in place that no one operator without it replaces: the whole graph has to change.

    Attributes:
        refusal: what the user is told where it cannot.
    """

    def __init__(self, message: str, *, where: str, accepted: str) -> None:
        super().__init__(message)
        self.refusal = ModelError(message, where=where, accepted=accepted)


def refuse_random(graph: GraphModule) -> None:
    """Refuse operators whose result is another one at every run."""
    for node in graph.graph.nodes:
        name = nodes.operator_name(node).rstrip("_")
        drops = name.endswith("dropout") and nodes.argument(node, 2, "train", False) is True
        if node.op == "call_function" and (drops or name in _RANDOM):
            raise ModelError(
                f"{node.target} draws random numbers",
                where=place(node),
                accepted="a model whose outputs depend on its inputs alone",
            )


def functional(graph: GraphModule) -> None:
    """Replace operators that write into their first operand by those that return a new tensor.

    Raises:
        SharedWriteError: something else reads afterwards what is written, through another view: no
            one operator computes that.
        ModelError: the model writes into a buffer.
    """
    writes = [node for node in graph.graph.nodes if _written(node)]
    for node in graph.graph.nodes:
        _refuse_statistics(node)
    if not writes:
        return
    found = aliases(graph)
    order = {node: index for index, node in enumerate(graph.graph.nodes)}
    for node in writes:
        _check_buffers(node, found, order)
    for node in graph.graph.nodes:
        _refuse_strides(node)
    for node in writes:
        plain = _functional(node)
        target = node.args[0]
        assert isinstance(target, torch.fx.Node)  # noqa: S101  # for mypy: _functional says so
        _check_write(node, target, found, order)
        _check_type(node, plain, found)
        node.target = plain
        later = {user for user in target.users if order[user] > order[node]}
        target.replace_all_uses_with(node, delete_user_cb=later.__contains__)


def _written(node: Node) -> list[Node]:
    """Return the operands that an operator writes into."""
    writes = (
        given
        for argument, given in arguments(node)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    return [operand for given in writes for operand in operands(given)]


def _refuse_statistics(node: Node) -> None:
    """Refuse norms that write into their running statistics, which no schema says."""
    name = nodes.operator_name(node)
    if node.op != "call_function" or name not in ("batch_norm", "instance_norm"):
        return
    held = nodes.argument(node, 3, "running_mean")
    if held is not None and nodes.argument(node, 5, "training", False) is True:
        _refuse_buffer(node, held)


def _refuse_strides(node: Node) -> None:
    """Refuse what reads the memory behind a tensor, whatever tensor lies there."""
    if node.op == "call_function" and nodes.operator_name(node).startswith("as_strided"):
        raise SharedWriteError(
            f"{node.target} reads memory by its strides in a graph that writes in place",
            where=place(node),
            accepted="views that select elements: slices, reshape, permute",
        )


def _refuse_buffer(node: Node, buffer: Node) -> None:
    raise ModelError(
        f"writes into its buffer {buffer.target!r} with {node.target}",
        where=place(node),
        accepted="a model without state: an accelerator starts every run alike",
    )


def _check_buffers(node: Node, found: Aliases, order: dict[Node, int]) -> None:
    for target in _written(node):
        for other in sorted(found.groups[target], key=order.__getitem__):
            before = order[other] < order[node]
            if before and nodes.is_parameter(other) and found.overlap(target, other):
                _refuse_buffer(node, other)


def _check_write(node: Node, target: Node, found: Aliases, order: dict[Node, int]) -> None:
    reads = [other for other in node.all_input_nodes if other is not target]
    for other in sorted(found.groups[target], key=order.__getitem__):
        # What is made later reads what is there by then.
        if order[other] >= order[node] or not found.overlap(target, other):
            continue
        if other in reads:
            raise SharedWriteError(
                f"{node.target} reads {other.name}, which shares memory with what it writes",
                where=place(node),
                accepted=_NEW,
            )
        if other is not target and any(order[user] > order[node] for user in other.users):
            raise SharedWriteError(
                f"{node.target} writes into a view of {other.name}, which is read afterwards",
                where=place(node),
                accepted=_NEW,
            )


def _functional(node: Node) -> Any:
    """Return the operator that computes what ``node`` writes into its first operand."""
    name, overload = str(node.target).split(".")[1:]
    packet = getattr(_aten, name.removesuffix("_"), None)
    found = in_place_shape(node)
    if found is None and torch.Tag.inplace_view not in node.target.tags:  # type: ignore[union-attr]
        found = getattr(packet, overload, None)
    if found is None or not name.endswith("_") or _written(node) != list(node.args[:1]):
        raise SharedWriteError(
            f"{node.target} writes in place and has no counterpart that does not",
            where=place(node),
            accepted=_NEW,
        )
    return found


def _check_type(node: Node, plain: Any, found: Aliases) -> None:
    """Refuse a write whose result would have another type: what is written to keeps its own."""
    written = found.values[node]
    with written.fake_mode, torch.no_grad():
        args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), found.values.__getitem__)
        made = plain(*args, **kwargs)
    if made.dtype != written.dtype:
        raise SharedWriteError(
            f"{node.target} writes {made.dtype} into {written.dtype}",
            where=place(node),
            accepted="operands of the type that is written to",
        )
