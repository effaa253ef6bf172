"""Element-wise operators that together make one function of one tensor: one table instead of many.

``x * sigmoid(x)``, ``0.5 * x * (1 + erf(x / sqrt(2)))``, ``clamp(x * 2 + 1, 0, 3)``: every value of
the result depends on one value of one tensor. Such operators are folded into one table where

* nothing else reads what they make in between: those tensors then have no codes, no range and no
  rounding of their own;
* the constants among them are single numbers, and no registered pattern takes one of them;
* a table of codes of up to 8 bits takes the place of two calls or more, or of an operator that has
  no primitive. Activations that the operator before them takes in cost no call. On wider codes a
  curve is not exact, as sums and products are: there one operator must be a curve anyhow.

The quantizer gives codes to both ends alone; ``find`` reads the float graph, ``members_between``
the Q/DQ graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import (
    CONSTANTS,
    attribute,
    clamp_range,
    is_elementwise,
    is_float,
    is_parameter,
    is_single,
    jumps,
    nodes,
    read_masked,
    shape,
)
from qsim.lowering.turns import turns
from qsim.lowering.view import is_dequantize
from qsim.registry import Reason
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    import torch
    from torch.fx import GraphModule, Node

    from qsim.target import Target


_NARROW: Final = 8


@dataclass(frozen=True, slots=True)
class Composition:
    """Operators that make one function of one tensor.

    Attributes:
        members: in the order of the graph; the last one makes the result.
        source: the tensor that they read.
        pattern: the name of the pattern that lowers them.
    """

    members: tuple[Node, ...]
    source: Node
    pattern: str = "composition"

    @property
    def root(self) -> Node:
        """The operator that makes the result."""
        return self.members[-1]

    @property
    def readers(self) -> tuple[Node, ...]:
        """The members that read the source."""
        return tuple(node for node in self.members if self.source in node.all_input_nodes)


def table_primitive(members: Iterable[Node], target: Target) -> str:
    """Return which table the target has for the function of operators, for codes of its width.

    A function that jumps has no curve: it takes a table of every code, however wide.
    """
    wide = target.input.bits > _NARROW and target.has("interpolate")
    return "interpolate" if wide and not any(map(jumps, members)) else "lookup"


def find(graph: Iterable[Node], target: Target) -> dict[Node, Composition]:
    """Return what is worth a table in a float graph, by the operator that makes the result."""
    given = list(graph)
    found = {root: Composition(*whole, "rotary") for root, whole in turns(given, target).items()}
    found |= _masked(given, target)
    taken = {node for whole in found.values() for node in whole.members}
    for node in reversed(given):
        if node in taken or not is_float(node) or not _is_ours(node, target):
            continue
        whole = _largest(node, target)
        if whole is not None and _depends(whole) and _gains(whole, target):
            found[node] = whole
            taken.update(whole.members)
    return found


def _masked(graph: list[Node], target: Target) -> dict[Node, Composition]:
    """Return each softmax of what a mask shows, with the operator that hides."""
    known = target.has("masked_softmax")
    read = {node: found for node in graph if known and (found := read_masked(node)) is not None}
    return {
        node: Composition((found.fill, node), found.scores, "masked_softmax")
        for node, found in read.items()
        if len(found.fill.users) == 1 and not is_parameter(found.scores)
    }


def tableless(graph: Iterable[Node], target: Target) -> dict[str, Reason]:
    """Return why compositions that jump stay on the host of a target without the table they need.

    A curve between samples takes no jump: ``where(x > 0, ...)`` needs a table of every code.
    """
    if target.has("lookup"):
        return {}
    found: dict[str, Reason] = {}
    reason = Reason.lacking(target.name, "lookup")
    for node in graph:
        whole = _largest(node, target) if is_float(node) and _is_ours(node, target) else None
        if whole is not None and _depends(whole) and any(map(jumps, whole.members)):
            found |= {member.name: reason for member in whole.members}
    return found


def _depends(whole: Composition) -> bool:
    """Return whether the values of the source count: what has its shape alone needs no table."""
    return any(nodes.operator_name(node) not in CONSTANTS for node in whole.readers)


def _largest(root: Node, target: Target) -> Composition | None:
    """Return the most operators that end in ``root`` and read one tensor."""
    members: set[Node] = set()
    edge: set[Node] = {root}
    best: Composition | None = None
    while edge:
        last = max(edge)
        if last is not root and not _absorbable(last, root, members, target):
            break
        edge.discard(last)
        members.add(last)
        edge.update(node for node in last.all_input_nodes if not _is_number(node))
        if len(edge) == 1:
            (source,) = edge
            if is_float(source) and not is_parameter(source) and _like(source, root):
                best = Composition(tuple(sorted(members)), source)
    return None if best is None else _trimmed(best)


def _absorbable(node: Node, root: Node, members: set[Node], target: Target) -> bool:
    return _is_ours(node, target) and _like(node, root) and members.issuperset(node.users)


def _is_ours(node: Node, target: Target) -> bool:
    """Return whether an operator is element-wise and no registered pattern takes it."""
    pattern = registry.choose(node, target) if is_elementwise(node) else None
    return is_elementwise(node) and (pattern is None or pattern.name in registry.BUILTIN)


def _trimmed(whole: Composition) -> Composition | None:
    """Leave an activation out that the product, the sum or the pool before it takes in."""
    source, first = whole.source, whole.members[0]
    taken_in = clamp_range(first) is not None and len(source.users) == 1 and _takes_clamps(source)
    if not taken_in:
        return whole
    return Composition(whole.members[1:], first) if whole.members[1:] else None


def _takes_clamps(node: Any) -> bool:
    return any(pattern.takes_clamps for pattern in registry.candidates(node.target))


def _is_number(node: Node) -> bool:
    return is_parameter(node) and is_single(node)


def _like(node: Node, root: Node) -> bool:
    """Return whether two tensors have one shape."""
    return str(shape(node)) == str(shape(root))


def _gains(whole: Composition, target: Target) -> bool:
    if not target.has(table_primitive(whole.members, target)):
        return False
    calls, curved = 0, False
    for node in whole.members:
        pattern = registry.choose(node, target)
        if pattern is None or not all(map(target.has, pattern.primitives(node, target))):
            return True
        before = node.args[0]
        fused = (
            clamp_range(node) is not None
            and before in whole.members
            and len(before.users) == 1  # type: ignore[union-attr]
            and _takes_clamps(before)
        )
        calls += not fused and bool(pattern.primitives(node, target))
        curved |= pattern.name == "unary"
    return calls > 1 and (curved or target.input.bits <= _NARROW)


def members_between(
    anchor: Node, wanted: Collection[str], origins: Mapping[str, Node]
) -> tuple[Node, ...]:
    """Return the operators of a Q/DQ graph from one dequantized tensor to ``anchor``, in order.

    Empty where there are others than the wanted between, or codes of more than one tensor; sizes,
    integers and bools may come from elsewhere. ``origins`` are the nodes of the float graph.
    """
    members: set[Node] = set()
    sources: set[Any] = set()
    waiting = [anchor]
    while waiting:
        node = waiting.pop()
        if node in members:
            continue
        members.add(node)
        for read in node.all_input_nodes:
            if is_parameter(read):
                continue
            if is_dequantize(read):
                sources.add(read.args[0])
            elif read.name in wanted:
                waiting.append(read)
            elif is_float(origins.get(read.name, read)):
                return ()
    return tuple(sorted(members)) if len(sources) == 1 else ()


def function(graph: GraphModule, members: tuple[Node, ...]) -> Callable[[float], float]:
    """Return the function of one value that operators make, in float64."""
    import torch

    reads = dict.fromkeys(read for node in members for read in node.all_input_nodes)
    constants = {read: _number(graph, read) for read in reads if is_parameter(read)}

    def asked(value: float) -> float:
        # In float64, rounded once by the caller: in float32 the last bit depends on the processor.
        x = torch.tensor([value], dtype=torch.float64)
        made: dict[Node, Any] = dict(constants)

        def given(item: Any) -> Any:
            if isinstance(item, torch.fx.Node):
                return made.get(item, x)
            return torch.float64 if item is torch.float32 else item

        for node in members:
            args, kwargs = torch.fx.node.map_aggregate((node.args, node.kwargs), given)
            operator: Any = node.target
            made[node] = operator(*args, **kwargs)
        return float(made[members[-1]])

    return asked


def _number(graph: GraphModule, node: Node) -> torch.Tensor:
    """Return a constant of one element, in float64 where it is real."""
    found = attribute(graph, node).reshape(())
    return found.double() if found.is_floating_point() else found
