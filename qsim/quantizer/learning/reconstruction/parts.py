"""The parts of a prepared graph that are reconstructed one after the other.

A *layer* ends with the tensor that a convolution, a linear or a matrix product makes, behind its
relu where one is fused. A *block* ends where a single tensor carries all that is computed
afterwards (but for the network's inputs): behind a residual addition, between two plain layers.
Both are runs of operators in the order of the graph, and end before the quantizer of their result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch.fx.node import map_arg

from qsim.quantizer.learning.fakes import Fake, FakeActivation, FakeWeight

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.fx import GraphModule, Node

    from qsim.quantizer.settings import Reconstruction


@dataclass(frozen=True)
class Part:
    """A run of operators.

    Attributes:
        nodes: in the order of the graph; constants and their quantizers are not among them.
        result: the tensor whose error is made small; None in a part that has no weights.
        weights: what quantizes the weights that it reads.
        activations: what quantizes activations in it.
        reads: the tensors of earlier parts that it reads.
    """

    nodes: tuple[Node, ...]
    result: Node | None
    weights: tuple[FakeWeight, ...]
    activations: tuple[FakeActivation, ...]
    reads: frozenset[Node]


def parts(graph: GraphModule, settings: Reconstruction) -> list[Part]:
    """Return a graph in parts that end with a layer or a block each; the last may have neither."""
    runs = [node for node in graph.graph.nodes if node.op != "placeholder" and _is_computed(node)]
    whole = _layer_ends(graph, runs) if settings.algorithm == "adaround" else _block_ends(runs)
    found, nodes = [], list[Any]()
    for node in runs:
        nodes.append(node)
        if node in whole and any(_weights(graph, each) for each in nodes):
            found.append(_part(graph, nodes, node))
            nodes = []
    return [*found, _part(graph, nodes, None)]


def compute(
    graph: GraphModule,
    part: Part,
    values: dict[Node, Any],
    passed: Callable[[Node], None] | None = None,
) -> None:
    """Compute the operators of a part.

    Args:
        graph: to which it belongs.
        part: of it.
        values: has what the part reads, and gets what it makes.
        passed: called behind each operator; may change what it made.
    """
    for node in part.nodes:
        values[node] = _computed(graph, node, values)
        if passed is not None:
            passed(node)


def _computed(graph: GraphModule, node: Node, values: dict[Node, Any]) -> Any:
    def value(read: Node) -> Any:
        return values[read] if read in values else _computed(graph, read, values)

    if node.op == "get_attr":
        from qsim.graph import attribute

        return attribute(graph, node)
    args, kwargs = map_arg((node.args, node.kwargs), value)
    if node.op == "output":
        return args[0]
    if node.op == "call_module":
        return graph.get_submodule(str(node.target))(*args, **kwargs)
    return node.target(*args, **kwargs)  # type: ignore[operator]


def _part(graph: GraphModule, nodes: list[Node], result: Node | None) -> Part:
    inside = set(nodes)
    weights = {id(each): each for node in nodes for each in _weights(graph, node)}
    fakes = (_fake(graph, node) for node in nodes)
    activations = {id(each): each for each in fakes if isinstance(each, FakeActivation)}
    reads = {each for node in nodes for each in node.all_input_nodes if _is_computed(each)}
    return Part(
        tuple(nodes),
        result,
        tuple(weights.values()),
        tuple(activations.values()),
        frozenset(reads - inside),
    )


def _is_computed(node: Node) -> bool:
    """Return whether a node hangs on the network's inputs."""
    if "is_computed" not in node.meta:
        inputs = node.all_input_nodes
        fresh = node.op in ("placeholder", "output") or any(map(_is_computed, inputs))
        node.meta["is_computed"] = fresh
    found: bool = node.meta["is_computed"]
    return found


def _fake(graph: GraphModule, node: Node) -> Fake | None:
    found = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
    return found if isinstance(found, Fake) else None


def _weights(graph: GraphModule, node: Node) -> list[FakeWeight]:
    """Return the quantizers of the weights that an operator reads."""
    constants = [each for each in node.all_input_nodes if not _is_computed(each)]
    fakes = [_fake(graph, each) for each in constants]
    return [each for each in fakes if isinstance(each, FakeWeight)]


def _layer_ends(graph: GraphModule, runs: list[Node]) -> set[Node]:
    return {_behind_relu(node) for node in runs if _weights(graph, node)}


def _behind_relu(node: Node) -> Node:
    """Return the fused relu that alone reads a node, or the node."""
    readers = list(node.users)
    fused = len(readers) == 1 and not _is_quantized(node) and _is_quantized(readers[0])
    return readers[0] if fused else node


def _is_quantized(node: Node) -> bool:
    return any(reader.op == "call_module" for reader in node.users)


def _block_ends(runs: list[Node]) -> set[Node]:
    """Return the results behind which one tensor is all that is read later."""
    order = {node: index for index, node in enumerate(runs)}
    last = {node: max((order[user] for user in node.users), default=0) for node in runs}
    found, reach = set(), 0
    for index, node in enumerate(runs[:-1]):
        # Of all before this one: the last that reads any of it.
        if reach <= index and node.op == "call_function" and _stands_alone(node):
            found.add(node)
        reach = max(reach, last[node])
    return found


def _stands_alone(node: Node) -> bool:
    """Return whether a relu that is fused does not follow."""
    return _is_quantized(node) or not any(user.op == "call_function" for user in node.users)
