"""What the graphs of one model have in common at every length of its sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch.fx import GraphModule, Node


@dataclass(frozen=True)
class Skeleton:
    """A graph without its sizes.

    Attributes:
        masks: names of what the graph masks with constants.
        positions: how it reads tables by position; see ``passes.positions``.
        operators: names and targets of its operators, in order.
        several: where constants stand that are more than one number.
    """

    masks: frozenset[str]
    positions: Mapping[str, int]
    operators: tuple[tuple[str, str], ...]
    several: frozenset[tuple[str, int]]


def skeleton_of(graph: GraphModule, first: Skeleton | None) -> Skeleton:
    """Return the skeleton of a simple graph; the names of its operators become those of another.

    Args:
        graph: after all passes, without observers.
        first: of the same model at another length.

    Raises:
        ModelError: it has other operators than the first.
    """
    from qsim.graph import is_single, mark_several
    from qsim.quantizer.passes import dims_by_position, masked

    several = frozenset(at for at, held in _constants(graph) if not is_single(held))
    if first is not None:
        _name_as(first, graph)
        _require_same(first, graph)
        for at, held in _constants(graph):
            if at in first.several:
                mark_several(held)
    return Skeleton(masked(graph), dims_by_position(graph), _operators(graph), several)


def _name_as(first: Skeleton, graph: GraphModule) -> None:
    """Give operators the names of those of another length, where they are the same.

    torch names a reshape after whether it copies, which may depend on the length.
    """
    own = [node for node in graph.graph.nodes if node.op != "get_attr"]
    names = [name for name, _ in first.operators]
    if [str(node.target) for node in own] != [target for _, target in first.operators]:
        return
    constants = {node.name for node in graph.graph.nodes if node.op == "get_attr"}
    if constants & set(names):
        return
    for name in set(names) - {node.name for node in own}:
        graph.graph._graph_namespace.create_name(name, None)  # noqa: SLF001 - so that it is taken
    for node, name in zip(own, names, strict=True):
        node.name = name
    graph.recompile()


def _require_same(first: Skeleton, graph: GraphModule) -> None:
    """Require the operators of the graph of another length; constants may have other names.

    Raises:
        ModelError: names the layer of the first that differs.
    """
    from qsim.graph import place

    nodes = [node for node in graph.graph.nodes if node.op != "get_attr"]
    own = _operators(graph)
    if own == first.operators:
        return
    pairs = zip(nodes, own, first.operators, strict=False)
    odd = next((node for node, mine, theirs in pairs if mine != theirs), nodes[-1])
    raise ModelError(
        "its operators are others than at the greatest length",
        where=place(odd),
        accepted="bounds within which the model has the same operators",
    )


def _operators(graph: GraphModule) -> tuple[tuple[str, str], ...]:
    """Return the operators of a graph by name, in order."""
    return tuple((n.name, str(n.target)) for n in graph.graph.nodes if n.op != "get_attr")


def _constants(graph: GraphModule) -> Iterator[tuple[tuple[str, int], Node]]:
    """Give every constant that an operator reads, with the operator and which operand it is."""
    for reader in graph.graph.nodes:
        for index, operand in enumerate(reader.all_input_nodes):
            if operand.op == "get_attr":
                yield (reader.name, index), operand
