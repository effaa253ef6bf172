"""Positions that are counted from the first that is given: ``at[0] + arange(n)``.

Many models read the first position alone and count the others from it. Rows are then looked up by
what was counted, an integer tensor that the host makes; what stands beside the first position must
change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.positions.tables import FROM_FIRST, KNOWN, MOST, Positions

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
        for node in list(self.known)[1:]:
            sizes = nodes.shape(node) or ()
            if len(sizes) != 1 or not isinstance(sizes[0], int) or node not in self.indices():
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
        read, wanted = [node], {node}
        for each in read:
            fresh = [one for one in each.all_input_nodes if one not in wanted]
            read += [one for one in fresh if one.op != "placeholder"]
            wanted.update(fresh)
        for each in [each for each in self.graph.graph.nodes if each in set(read)]:
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

    def rows_of(self, node: Node, length: int) -> tuple[torch.Tensor, int] | None:
        """Return a row for every position, and the dimension that counts them in the result."""
        first = self.value(node, (0,) * self.count)
        if first.numel() * length > MOST * self.rows:
            return None
        for dim in self.dims_of(node, first):
            table = torch.stack(
                [
                    self.value(node, (at,) * self.count).select(dim, 0).reshape(-1)
                    for at in range(length)
                ]
            )
            # No cache has a place for what is counted beyond the last.
            if all(
                torch.equal(
                    self.value(node, at).movedim(dim, 0).reshape(self.rows, -1)[: length - at[0]],
                    table[at[0] : at[0] + self.rows],
                )
                for at in self.tried(length)
            ):
                return table, dim
        return None
