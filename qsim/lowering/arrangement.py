"""Decides what runs where and when: integer operators in Programs, the rest on the host.

The live part of the graph becomes *items* in the graph's order. An item has a stage: Programs and
host steps alternate, stage by stage, so that neither waits for something that comes later.

    an integer operator   stage of its integer operands; one more than a host item's
    a host item           the largest stage among its operands
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

from qsim.errors import ModelError
from qsim.graph import place
from qsim.lowering.view import is_dequantize, is_quantize, operator_name

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering.match import Matcher

Kind: TypeAlias = Literal["integer", "quantize", "dequantize", "torch"]


@dataclass(frozen=True, slots=True)
class Item:
    """Something to compute.

    ``integer`` and ``quantize`` items are named by their quantize node (positions and float32,
    which have none, by the operator that makes them), ``dequantize`` items by the quantize node
    whose codes they read, ``torch`` items by their own node.
    """

    kind: Kind
    node: Node


@dataclass(slots=True)
class Arrangement:
    """The items of a graph, each with its stage.

    Attributes:
        stages: the items in an order that can be executed, with their stages.
        constants: nodes that depend on no input: folded.
        outputs: the nodes that the graph returns.
        readers: for every item, the items that need its result.
    """

    matcher: Matcher
    constants: set[Node]
    outputs: tuple[Node, ...]
    stages: dict[Item, int] = field(default_factory=dict)
    readers: dict[Item, list[Item]] = field(default_factory=dict)

    def source(self, quantize: Node) -> Node:
        """Follow identity operators to the quantize node that makes the codes."""
        while quantize in self.matcher.aliases:
            quantize = self.matcher.aliases[quantize]
        return quantize

    def producer(self, node: Node) -> Item | None:
        """Return the item that computes a node's value for the host, None for an input."""
        if is_dequantize(node) and node not in self.constants:
            return Item("dequantize", self.source(_only(node)))
        if node in self.matcher.built or (is_quantize(node) and node not in self.constants):
            return self.codes(node)
        return None if node.op == "placeholder" or node in self.constants else Item("torch", node)

    def codes(self, quantize: Node) -> Item:
        """Return the item that makes the codes of a quantize node."""
        quantize = self.source(quantize)
        return Item("integer" if quantize in self.matcher.built else "quantize", quantize)

    def operands(self, item: Item) -> list[Item]:
        """Return the items that an item needs first; graph inputs and constants are not items."""
        match item.kind:
            case "integer":
                match = self.matcher.built[item.node].match
                if match.dynamic is not None:
                    return self._producers([match.dynamic.source])
                read = (node for each in match.readers for node in operand_quantizers(each, self))
                found = [*map(self.codes, (*read, *match.read))]
                found += self._producers([each.source for each in match.integers])
                return list(dict.fromkeys(found))
            case "dequantize":
                return [self.codes(item.node)]
            case "quantize":
                nodes_in = [_only(item.node)]
            case "torch":
                nodes_in = item.node.all_input_nodes
            case _:
                assert_never(item.kind)
        return self._producers(nodes_in)

    def _producers(self, read: list[Node]) -> list[Item]:
        """Return the items that compute nodes' values."""
        return [made for made in map(self.producer, read) if made is not None]


def _only(node: Node) -> Node:
    from torch.fx import Node

    source = node.args[0]
    if not isinstance(source, Node):
        raise ModelError(f"{operator_name(node)} reads {source!r}, not a tensor", where=place(node))
    return source


def operand_quantizers(anchor: Node, arrangement: Arrangement) -> list[Node]:
    """Return the quantize nodes behind the activations that an integer operator reads."""
    dequantized = [anchor] if is_dequantize(anchor) else anchor.all_input_nodes
    return [
        _only(node)
        for node in dequantized
        if is_dequantize(node) and node not in arrangement.constants
    ]


def arrange(matcher: Matcher) -> Arrangement:
    """Arrangement the live part of a matched graph."""
    nodes = list(matcher.graph.graph.nodes)
    arrangement = Arrangement(matcher, constant_nodes(nodes), tuple(output_nodes(nodes[-1])))
    order = {node: position for position, node in enumerate(nodes)}
    live: set[Item] = set()
    waiting = [
        made for node in arrangement.outputs if (made := arrangement.producer(node)) is not None
    ]
    while waiting:
        item = waiting.pop()
        if item not in live:
            live.add(item)
            for operand in arrangement.operands(item):
                arrangement.readers.setdefault(operand, []).append(item)
                waiting.append(operand)
    # A dequantize is placed right behind the codes that it reads.
    for item in sorted(live, key=lambda i: (order[i.node], i.kind == "dequantize")):
        arrangement.stages[item] = stage_of(item, arrangement)
    return arrangement


def stage_of(item: Item, arrangement: Arrangement) -> int:
    """Return the stage of an item whose operands have theirs; -1 is before any Program."""
    operands = arrangement.operands(item)
    if item.kind != "integer":
        return max((arrangement.stages[operand] for operand in operands), default=-1)
    after = (arrangement.stages[operand] + (operand.kind != "integer") for operand in operands)
    return max(after, default=0)  # without one it reads an input of the network


def constant_nodes(nodes: list[Node]) -> set[Node]:
    """Return the nodes that depend on no input of the graph."""
    found: set[Node] = set()
    for node in nodes:
        if node.op == "get_attr" or (
            node.op == "call_function"
            and node.all_input_nodes
            and all(source in found for source in node.all_input_nodes)
        ):
            found.add(node)
    return found


def output_nodes(output: Node) -> list[Node]:
    """Return the tensors that a graph returns, in order, without those that are None."""
    from torch.fx import Node

    for value in returned(output):
        if value is not None and not isinstance(value, Node):
            raise ModelError(
                f"the model returns {value!r} among its outputs",
                accepted="tensors, and None, in tuples, lists, dicts and dataclasses",
            )
    return [value for value in returned(output) if isinstance(value, Node)]


def returned(output: Node) -> list[object]:
    """Return what a graph returns, leaf by leaf."""
    values = output.args[0]
    return list(values) if isinstance(values, (tuple, list)) else [values]
