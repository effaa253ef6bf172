"""Which nodes of a program a target's delegates take, and why they leave the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim.graph import nodes, read_masked, recurrent
from qsim.lowering import (
    chain,
    constant_nodes,
    is_dequantize,
    is_dynamic,
    is_quantize,
    layer_of,
    operator_name,
)
from qsim.network import HostOperator, computes
from qsim.registry import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.fx import Node

    from qsim.executorch.compiling.view import View
    from qsim.lowering import Builder, Match, Matcher
    from qsim.target import Target

_SHARED = Reason("operand", "its value in float, or an operand's, is read by other operators too")


@dataclass(frozen=True, slots=True)
class Support:
    """What a target takes of one program.

    Attributes:
        nodes: the program's nodes that go into delegates.
        host: the operators that do not, with the reasons that ``qsim.lower`` gives.
        boundary: quantize and dequantize nodes that stay outside; of no operator, so of no reason.
        coding: of ``nodes``, those that choose scale and zero point at run time, and use them.
    """

    nodes: frozenset[Node]
    host: tuple[HostOperator, ...]
    boundary: tuple[Node, ...]
    coding: frozenset[Node] = frozenset()


def supported(view: View, target: Target, *, quantized_io: bool) -> Support:
    """Return what a target takes of a program.

    Args:
        view: the program.
        target: the datapath.
        quantized_io: quantize and dequantize stay outside where no operator of the target needs
            them, so that delegates take and return codes only.
    """
    matcher = view.match(target)
    taken: set[Node] = set()
    for unit in (*_built(matcher), *_renamed(matcher)):
        if unit.closed():
            taken.update(unit.nodes)
        else:
            matcher.reasons.update((node, _SHARED) for node in unit.nodes if node not in taken)
    for node in tuple(taken):
        _take_zeros(node, taken)
    constants = constant_nodes(list(view.graph.graph.nodes))
    coding = [node for node in _coding(view) if node not in constants]
    if not quantized_io:
        taken.update(node for node in coding if _source(node) in matcher.codes)
    return Support(
        frozenset(view.source[node] for node in taken if node in view.source),
        tuple(
            HostOperator.because(operator_name(node), layer_of(node), matcher.why_host(node))
            for node in view.graph.graph.nodes
            if node.op == "call_function"
            and node not in taken
            and node not in constants
            and not is_quantize(node)
            and not is_dequantize(node)
            and computes(operator_name(node))
            and node.target.__name__ != "getitem"
        ),
        tuple(view.source[node] for node in coding if node not in taken and node in view.source),
        frozenset(
            view.source[node]
            for builder in matcher.built.values()
            for node in _at_run_time(builder.match)
        ),
    )


def _coding(view: View) -> Iterator[Node]:
    return (n for n in view.graph.graph.nodes if is_quantize(n) or is_dequantize(n))


def _source(node: Node) -> object:
    """Return the quantize node that a quantize is, or that a dequantize reads."""
    return node if is_quantize(node) else node.args[0]


@dataclass(frozen=True, slots=True)
class _Unit:
    """The nodes that one lowered operator replaces.

    Attributes:
        nodes: all of them.
        results: those of them that others may read.
    """

    nodes: tuple[Node, ...]
    results: tuple[Node, ...]

    def closed(self) -> bool:
        """Return whether nothing outside reads what is computed inside, but for the results."""
        inside = set(self.nodes)
        computed = inside.difference(self.results)
        return all(inside.issuperset(node.users) for node in computed)


def _built(matcher: Matcher) -> Iterator[_Unit]:
    """Yield the units of operators; one with several results, as an LSTM cell, is one unit."""
    built: dict[Node, list[Builder]] = {}
    for builder in matcher.built.values():
        built.setdefault(builder.match.anchor, []).append(builder)
    for anchor, builders in built.items():
        inside: list[Node] = []
        for match in (builder.match for builder in builders):
            decoded = (read for node in match.readers for read in _decoded(node))
            inside += (*decoded, *_at_run_time(match), *match.readers, *match.clamps)
            masked = read_masked(match.anchor)
            inside += () if masked is None else masked.marks
        results = tuple(builder.match.quantize for builder in builders)
        yield _Unit(tuple(dict.fromkeys((*inside, *nodes.parts(anchor), *results))), results)


def _at_run_time(match: Match) -> Iterator[Node]:
    """Yield what chooses scale and zero point of an operand, quantizes it and dequantizes it."""
    waiting = list(filter(is_dynamic, match.anchor.all_input_nodes))
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [each for each in node.all_input_nodes if each not in _outside(match)]


def _outside(match: Match) -> tuple[Node, ...]:
    return tuple(each.source for each in match.dynamic)


def _renamed(matcher: Matcher) -> Iterator[_Unit]:
    """Yield the units of operators that hand their operand's codes on."""
    for quantize in matcher.aliases:
        anchor, clamps = chain(quantize)
        yield _Unit((*_decoded(anchor), anchor, *clamps, quantize), (quantize,))


def _decoded(anchor: Node) -> tuple[Node, ...]:
    return () if is_dequantize(anchor) else tuple(filter(is_dequantize, anchor.all_input_nodes))


def _take_zeros(node: Node, taken: set[Node]) -> None:
    """Take what makes the zeros that a recurrent cell starts with, which nothing computes."""
    if node.target not in recurrent.CELLS:
        return
    for state in filter(recurrent.is_zero, recurrent.states(node)):
        made: Node | None = state
        while made is not None and made.op == "call_function" and taken.issuperset(made.users):
            taken.add(made)
            made = next(filter(recurrent.is_zero, made.all_input_nodes), None)
