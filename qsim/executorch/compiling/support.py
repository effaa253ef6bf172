"""Which nodes of a program a target's delegates take, and why they leave the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    from qsim.lowering import Match, Matcher
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
        if _closed(unit):
            taken.update(unit)
        else:
            matcher.reasons.update((node, _SHARED) for node in unit if node not in taken)
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


def _built(matcher: Matcher) -> Iterator[tuple[Node, ...]]:
    """Yield the nodes that one lowered operator replaces, its result last."""
    for quantize, builder in matcher.built.items():
        match = builder.match
        decoded = (read for node in match.readers for read in _decoded(node))
        operators = (*match.readers, *match.clamps, quantize)
        yield tuple(dict.fromkeys((*decoded, *_at_run_time(match), *operators)))


def _at_run_time(match: Match) -> Iterator[Node]:
    """Yield what chooses scale and zero point of an operand, quantizes it and dequantizes it."""
    waiting = list(filter(is_dynamic, match.anchor.all_input_nodes))
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [each for each in node.all_input_nodes if each not in _outside(match)]


def _outside(match: Match) -> tuple[Node, ...]:
    return () if match.dynamic is None else (match.dynamic.source,)


def _renamed(matcher: Matcher) -> Iterator[tuple[Node, ...]]:
    """Yield the nodes of an operator that hands its operand's codes on."""
    for quantize in matcher.aliases:
        anchor, clamps = chain(quantize)
        yield (*_decoded(anchor), anchor, *clamps, quantize)


def _decoded(anchor: Node) -> tuple[Node, ...]:
    return () if is_dequantize(anchor) else tuple(filter(is_dequantize, anchor.all_input_nodes))


def _closed(unit: tuple[Node, ...]) -> bool:
    """Return whether nothing outside reads what is computed inside, but for the result."""
    inside = set(unit)
    return all(inside.issuperset(node.users) for node in unit[:-1])
