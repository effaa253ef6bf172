"""Which tensors of a graph share one set of parameters.

The operand and the result of an operator that only moves, picks, averages or clamps codes (pool,
mean, reshape, permute, a relu of its own) are in one group. The first place of a group, in the
order of the graph, carries the observer; all others refer to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from torch.fx import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qsim.quantizer.config import Override
    from qsim.registry import Pattern

# A place that an observer can stand at: behind a node, or between a node and one reader.
Slot: TypeAlias = Node | tuple[Node, Node]


@dataclass(frozen=True)
class Operator:
    """One operator to be annotated.

    Attributes:
        node: the operator.
        pattern: what it means to the datapath.
        settings: what the config says about it.
        inputs: its activation operands.
        result: the node behind which its result's observer stands: itself, the fused relu, or one
            of its parts. Positions have no observer.
        readers: the operators that read the inputs: itself, or those that it was folded from.
    """

    node: Node
    pattern: Pattern
    settings: Override
    inputs: tuple[Node, ...]
    result: Node
    readers: tuple[Node, ...] = ()

    @property
    def edges(self) -> tuple[tuple[Node, Node], ...]:
        """Every operand with every operator that reads it."""
        return tuple((x, reader) for reader in self.readers or (self.node,) for x in self.inputs)

    @property
    def shared(self) -> tuple[Node, ...]:
        """The operands that have the parameters of the result."""
        if self.pattern.sharing:
            return self.inputs
        return self.pattern.shared(self.node, self.result)

    @property
    def states(self) -> tuple[Node, ...]:
        """The tensors that are 16-bit states."""
        rule = self.pattern.states
        return () if rule is None else rule(self.node, self.result)

    @property
    def tensors(self) -> tuple[Node, ...]:
        """The tensors that have parameters: operands, then the result unless it is positions."""
        return self.inputs if self.pattern.positions else (*self.inputs, self.result)


def slots(chosen: list[Operator]) -> Iterator[tuple[Operator, Slot, Node]]:
    """Give the places of operators in the order in which PT2E makes their observers."""
    found: list[tuple[Node, Operator, Slot, Node]] = []
    for op in chosen:
        found += [(edge[1], op, edge, edge[0]) for edge in op.edges]
        if not op.pattern.positions:
            found.append((op.result, op, op.result, op.result))
    for _, op, slot, tensor in sorted(found, key=lambda item: item[0]):  # stable: operands first
        yield op, slot, tensor


def groups(chosen: list[Operator], kept: Sequence[tuple[Node, Node]] = ()) -> dict[Node, Node]:
    """Return the representative of every tensor's group.

    Args:
        chosen: the operators.
        kept: what a state was and what it becomes: one tensor, from step to step.
    """
    parent: dict[Node, Node] = {}

    def root(tensor: Node) -> Node:
        parent.setdefault(tensor, tensor)
        while parent[tensor] is not tensor:
            parent[tensor] = parent[parent[tensor]]
            tensor = parent[tensor]
        return tensor

    for op in chosen:
        for tensor in op.tensors:
            root(tensor)
        for tensor in op.shared:
            parent[root(op.result)] = root(tensor)
    for before, after in kept:
        if before in parent and after in parent:
            parent[root(after)] = root(before)
    return {tensor: root(tensor) for tensor in list(parent)}


def lone(
    chosen: list[Operator], roots: dict[Node, Node], kept: Sequence[tuple[Node, Node]] = ()
) -> set[Node]:
    """Return the tensors that alone bring values into their group.

    Only those can have parameters that no data changes: a maximum puts two into one group. What a
    state was brings nothing that it did not become before.
    """
    shared = {op.result for op in chosen if op.shared} | {before for before, _ in kept}
    sources: dict[Node, list[Node]] = {}
    for tensor, root in roots.items():
        if tensor not in shared:
            sources.setdefault(root, []).append(tensor)
    return {found[0] for found in sources.values() if len(found) == 1}


def drop_idle(chosen: list[Operator], kept: Sequence[tuple[Node, Node]] = ()) -> list[Operator]:
    """Leave out reshapes, argmaxes and the like in groups in which nothing computes."""
    roots = groups(chosen, kept)
    busy = {roots[tensor] for op in chosen if not op.pattern.moving for tensor in op.tensors}
    return [op for op in chosen if not op.pattern.moving or roots[op.tensors[-1]] in busy]
