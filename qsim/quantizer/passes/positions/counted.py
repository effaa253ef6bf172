"""Positions that are counted from the first that is given: ``at[0] + arange(n)``.

Many models read the first position alone and count the others from it. Rows are then looked up by
what was counted, an integer tensor that the host makes; what stands beside the first position must
change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.graph import nodes
from qsim.quantizer.passes.positions.tables import FROM_FIRST, KNOWN, Positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.fx import Node


class Counted(Positions):
    """One input of positions whose first alone is read, and what is counted from it."""

    def length(self) -> int:
        """Return how many positions there are, and find what they are counted in; 0: not known."""
        known = self.graph.meta.get(KNOWN)
        if known is not None and known.get(self.given.name) != FROM_FIRST:
            return 0
        for node in self.indices():
            sizes = nodes.shape(node) or ()
            if node is self.given or len(sizes) != 1 or not isinstance(sizes[0], int):
                continue
            self.rows = sizes[0]
            length = min(self.caches(), default=0)
            if length and self.is_itself(node, length):
                self.found_dims[self.given.name] = FROM_FIRST
                self.basis = node
                self._first(node)
                return length
        return 0

    def _first(self, node: Node) -> None:
        """Let a node and what it reads stand in front of all other operators."""
        at = [each for each in self.graph.graph.nodes if each.op == "placeholder"][-1]
        read = {node}
        waiting = [node]
        while waiting:
            inputs = waiting.pop().all_input_nodes
            fresh = [each for each in inputs if each.op != "placeholder" and each not in read]
            read.update(fresh)
            waiting += fresh
        for each in [each for each in self.graph.graph.nodes if each in read]:
            at.append(each)
            at = each

    def places(self, at: tuple[int, ...]) -> tuple[int, ...]:
        """Return the positions of rows, where the input is this."""
        return tuple(at[0] + i for i in range(self.rows))

    def tried(self, length: int) -> Iterator[tuple[int, ...]]:
        """Give inputs to compute with: each first position with others beside it."""
        for first in range(length):
            yield tuple(first + i for i in range(self.count))
            yield (first,) * self.count
            yield (first, *(0 for _ in range(self.count - 1)))
