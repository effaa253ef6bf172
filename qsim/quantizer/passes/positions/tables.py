"""A pass over what depends on the positions of tokens alone: rows of a table, read at run time.

A decoder that writes into a cache is told where. Rows of a causal mask, rotary sines and cosines
and the like are then functions of that one input: they are computed here for every position that
the cache has, and the network reads the row that it needs.

Positions of one token say nothing of rows: whatever is made of one is its row. Where there are
several, a row must depend on its own position alone: it is computed with others beside it, in
several orders, and must not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.passes.masks import SOFTMAX, in_table
from qsim.quantizer.rewriting import insert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.fx import GraphModule, Node


_aten = torch.ops.aten
_ATTENTION: Final = _aten.scaled_dot_product_attention.default
_FILLS: Final = (_aten.where.self, _aten.where.ScalarOther, _aten.masked_fill.Scalar)
_LONGEST: Final = 1 << 14  # positions of a cache
# In a graph's meta: which dimension of what became a table counts its rows, and FROM_FIRST for
# inputs from whose first element positions are counted; and the same of another length, as a single
# token shows neither.
FOUND: Final = "qsim_positions"
KNOWN: Final = "qsim_known_positions"
FROM_FIRST: Final = -1
MOST: Final = 1 << 24  # elements of a table


class Positions:
    """One input of positions, and what follows from it alone."""

    def __init__(self, graph: GraphModule, given: Node) -> None:
        self.graph = graph
        self.given = given
        self.basis = given  # what tables are read by
        self.count = given.meta["val"].numel()
        self.rows = self.count  # positions that tables are read at
        self.known: dict[Node, None] = {given: None}
        for node in graph.graph.nodes:
            if node.op == "call_function" and self._follows(node):
                self.known[node] = None
        self.values: dict[tuple[int, ...], dict[Node, Any]] = {}
        self.known_dims: dict[str, int] = graph.meta.get(KNOWN, {})
        self.found_dims: dict[str, int] = graph.meta.setdefault(FOUND, {})

    def _follows(self, node: Node) -> bool:
        schema, read = nodes.schema(node), node.all_input_nodes
        if schema is None or torch.Tag.nondeterministic_seeded in node.target.tags:  # type: ignore[union-attr]
            return False
        known = all(each in self.known or nodes.is_parameter(each) for each in read)
        return known and any(each in self.known for each in read)

    def run(self) -> bool:
        """Replace what other operators read; return whether positions were found."""
        length = self.length()
        if not length:
            return False
        for node in list(self.known)[1:]:
            users = [user for user in node.users if user not in self.known]
            if not users:
                continue
            if nodes.kind(node) in ("int64", "int32"):
                self._same(node, users, length)
            elif node.target is not _aten.embedding.default or node.args[1] is not self.basis:
                for user in users:
                    self._table(node, user, length)
        return True

    def length(self) -> int:
        """Return how many positions there are: as many as the shortest cache has; 0: not known."""
        if self.known_dims.get(self.given.name) == FROM_FIRST:
            return 0
        return min(self.caches(), default=0)

    def caches(self) -> list[int]:
        """Return the lengths of caches that are written at the positions."""
        return [
            size
            for node, sizes in self.indices().items()
            for size in sizes
            if self.is_itself(node, size)
        ]

    def indices(self) -> dict[Node, list[int]]:
        """Return what caches are written at, with their lengths."""
        found: dict[Node, list[int]] = {}
        for node in self.known:
            for user in node.users:
                if user.target is _aten.index_copy.default and user.args[2] is node:
                    size = (nodes.shape(user.args[0]) or ())[user.args[1]]  # type: ignore[index]
                    if isinstance(size, int) and size <= _LONGEST:
                        found.setdefault(node, []).append(size)
        return found

    def is_itself(self, node: Node, length: int) -> bool:
        """Return whether a node is the positions as they are, also behind the last: no ring."""
        return all(
            torch.equal(self.value(node, at).reshape(-1), torch.tensor(self.places(at)))
            for at in (*self.tried(length), (length,) * self.count, (-1,) * self.count)
        )

    def dims_of(self, node: Node, value: torch.Tensor) -> list[int]:
        """Return the dimensions that may count rows: that of another length, or all so long."""
        if node.name in self.known_dims:
            return [self.known_dims[node.name]]
        return [dim for dim, size in enumerate(value.shape) if size == self.rows]

    def places(self, at: tuple[int, ...]) -> tuple[int, ...]:
        """Return the positions of rows, where the input is this."""
        return at

    def tried(self, length: int) -> Iterator[tuple[int, ...]]:
        """Give positions to compute with: each beside itself, and others beside it."""
        for at in range(length):
            yield (at,) * self.count
        if self.count > 1:
            for first in range(length):
                yield tuple((first + 3 * i) % length for i in range(self.count))
                yield tuple((first - i) % length for i in range(self.count))

    def value(self, node: Node, at: tuple[int, ...]) -> torch.Tensor:
        """Compute a node of the positions."""
        if at not in self.values:
            sizes, kind = self.given.meta["val"].shape, self.given.meta["val"].dtype
            self.values[at] = {self.given: torch.tensor(at, dtype=kind).reshape(sizes)}
        found = self.values[at]
        if node not in found:
            args, kwargs = torch.fx.node.map_arg(
                (node.args, node.kwargs),
                lambda read: (
                    nodes.attribute(self.graph, read).detach()
                    if nodes.is_parameter(read)
                    else self.value(read, at)
                ),
            )
            with torch.no_grad():
                found[node] = node.target(*args, **kwargs)  # type: ignore[operator]
        value: torch.Tensor = found[node]
        return value

    def _same(self, node: Node, users: list[Node], length: int) -> None:
        """Let operators read the positions themselves where a node is nothing else."""
        if node is self.basis or not self.is_itself(node, length):
            return
        for user in users:
            plain: Any = self.basis
            if nodes.shape(plain) != nodes.shape(node):
                sizes = list(nodes.shape(node) or ())
                plain = insert(self.graph, user, _aten.reshape.default, plain, sizes)
            user.replace_input_with(node, plain)

    def _table(self, node: Node, user: Node, length: int) -> None:
        """Let one reader read rows of a table of its own."""
        found = self.rows_of(node, length)
        if found is None:
            return
        dim, hides = found[1], not nodes.is_float(node)
        self.found_dims[node.name] = dim
        table = _as_mask(found[0], user, node) if hides else found[0]
        if table is None:
            return
        sizes = list(nodes.shape(node) or ())
        held = add_constant(self.graph, user, f"{node.name}_rows", table.to(torch.float32))
        made = insert(self.graph, user, _aten.embedding.default, held, self.basis)
        if dim:
            rows = [self.rows, *sizes[:dim], *sizes[dim + 1 :]]
            order = [*range(1, dim + 1), 0, *range(dim + 1, len(sizes))]
            made = insert(self.graph, user, _aten.reshape.default, made, rows)
            made = insert(self.graph, user, _aten.permute.default, made, order)
        if list(nodes.shape(made) or ()) != sizes:
            made = insert(self.graph, user, _aten.reshape.default, made, sizes)
        in_table(made)
        if hides and user.target in _FILLS:
            scores = user.args[1] if user.target is not _FILLS[-1] else user.args[0]
            masked = insert(self.graph, user, _aten.add.Tensor, scores, made)
            user.replace_all_uses_with(masked)
            self.graph.graph.erase_node(user)
        else:
            user.replace_input_with(node, made)

    def rows_of(self, node: Node, length: int) -> tuple[torch.Tensor, int] | None:
        """Return a row for every position, and the dimension that counts them in the result."""
        first = self.value(node, (0,) * self.count)
        if first.numel() * length > MOST * self.rows:
            return None
        each = [self.value(node, (at,) * self.count) for at in range(length)]
        if self.rows == 1 and node.name not in self.known_dims:
            return torch.stack([value.reshape(-1) for value in each]), 0
        for dim in self.dims_of(node, first):
            table = torch.stack([value.select(dim, 0).reshape(-1) for value in each])
            if all(self._has(table, node, dim, at) for at in self.tried(length)):
                return table, dim
        return None

    def _has(self, table: torch.Tensor, node: Node, dim: int, at: tuple[int, ...]) -> bool:
        """Return whether a table has the rows of a node; no cache has a place beyond the last."""
        places = [place for place in self.places(at) if place < len(table)]
        rows = self.value(node, at).movedim(dim, 0).reshape(self.rows, -1)
        return torch.equal(rows[: len(places)], table[places])


def _as_mask(table: torch.Tensor, user: Node, node: Node) -> torch.Tensor | None:
    """Return what is added to scores in the place of choosing by bools; None where it is not."""
    minus = torch.zeros(table.shape)
    if user.target is _ATTENTION:
        return minus.masked_fill(~table, float("-inf"))
    if user.target not in _FILLS or not _before_softmax(user):
        return None
    where, value = (user.args[0], user.args[2]) if user.target is not _FILLS[-1] else user.args[1:3]
    if where is not node or not _hides(value):
        return None
    return minus.masked_fill(~table if user.target is not _FILLS[-1] else table, float("-inf"))


def _before_softmax(node: Node) -> bool:
    return len(node.users) == 1 and next(iter(node.users)).target in SOFTMAX


def _hides(value: Any) -> bool:
    """Return whether a number is so low that a softmax gives nothing to it."""
    return isinstance(value, (int, float)) and value <= -1e4
