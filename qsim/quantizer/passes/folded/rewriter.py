"""What the rules share: the tensors that are apart already, and how they are arranged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.passes.folded.layout import PLAIN, Apart, Layout, batch_of
from qsim.quantizer.passes.masks import unmarked
from qsim.quantizer.rewriting import insert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import GraphModule, Node

_aten = torch.ops.aten


@dataclass(slots=True)
class Rewriter:
    """One graph while its samples are taken apart.

    Attributes:
        graph: is changed.
        symbols: what its batches are called.
        apart: what stands for each tensor into whose batch something is folded.
    """

    graph: GraphModule
    symbols: set[str]
    apart: dict[Node, Apart] = field(default_factory=dict)

    def read(self, node: Any) -> Apart | None:
        """Return what stands for a tensor with a batch; None where nothing does."""
        if node in self.apart:
            return self.apart[node]
        plain = isinstance(node, torch.fx.Node) and self.batch(node) == (0, 1)
        return Apart(node, PLAIN, moved=True) if plain else None

    def batch(self, node: Node) -> tuple[int, int] | None:
        """Return the dimension of a tensor that counts samples, and how many rows of each."""
        return batch_of(nodes.shape(node), self.symbols)

    def insert(self, before: Node, target: Any, *args: Any, **kwargs: Any) -> Node:
        """Add an operator in front of the one that it stands for."""
        name = str(target).split(".")[1].strip("_")
        made = insert(self.graph, before, target, *args, name=name, **kwargs)
        return made if target is before.target else unmarked(made)

    def sizes(self, node: Node, layout: Layout) -> list[int]:
        """Return the sizes of what stands for a tensor, in the tensor's order; -1 in front."""
        shape = nodes.shape(node) or ()
        folded = [layout.count] if layout.count > 1 else []
        return [-1, *shape[: layout.dim], *folded, *shape[layout.dim + 1 :]]

    def reshape(self, before: Node, value: Node, sizes: Sequence[int]) -> Node:
        """Reshape a tensor, the batch in front, or return it where it has this shape."""
        if list((nodes.shape(value) or ())[1:]) == list(sizes[1:]):
            return value
        return self.insert(before, _aten.reshape.default, value, list(sizes))

    def permute(self, before: Node, value: Node, order: Sequence[int]) -> Node:
        """Permute a tensor, or return it where that changes nothing."""
        if list(order) == sorted(order):
            return value
        return self.insert(before, _aten.permute.default, value, list(order))

    def placed(self, before: Node, value: Apart, fold: int) -> Apart:
        """Return the same with what is folded at a dimension."""
        if not value.fold or value.fold == fold:
            return value
        order = [dim for dim in range(value.rank + 1) if dim != value.fold]
        order.insert(fold, value.fold)
        return replace(value, node=self.permute(before, value.node, order), fold=fold)

    def ordered(self, before: Node, value: Apart) -> Apart:
        """Return the same with what is folded in the batch's place."""
        return self.placed(before, value, value.layout.dim + 1)

    def widened(self, before: Node, value: Apart, rank: int) -> Apart:
        """Return what stands for a tensor with dimensions of 1 in front, as broadcasting adds."""
        more = rank - value.rank
        if not more:
            return value
        value = self.ordered(before, value)
        sizes = [-1, *[1] * more, *(nodes.shape(value.node) or ())[1:]]
        layout = replace(value.layout, dim=value.layout.dim + more)
        made = self.reshape(before, value.node, sizes)
        return Apart(made, layout, layout.dim + 1 if value.fold else 0, value.moved)

    def beside(self, before: Node, static: Node, value: Apart) -> Node | None:
        """Return a tensor without a batch as it broadcasts beside one that is apart.

        None where it has a value of its own for a row of the batch.
        """
        shape, rank = tuple(nodes.shape(static) or ()), value.rank
        behind = rank - value.layout.dim - 1
        if len(shape) <= (min(behind, rank - value.fold) if value.fold else behind):
            return static
        full = [1] * (rank - len(shape)) + list(shape)
        if not all(isinstance(size, int) for size in shape):
            return None
        if full.pop(value.layout.dim) != 1:
            return None
        full.insert(0, 1)
        if value.fold:
            full.insert(value.fold, 1)
        if nodes.is_parameter(static):
            held = nodes.attribute(self.graph, static).reshape(full)
            return add_constant(self.graph, before, f"{before.name}_operand", held)
        return self.insert(before, _aten.reshape.default, static, full)

    def aligned(
        self, before: Node, tensors: Sequence[Node], *, ordered: bool = False
    ) -> tuple[Apart, list[Node]] | None:
        """Return tensors as they broadcast with each other once apart, and one that they are like.

        None where the batch of one meets something else of another.
        """
        rank = max(len(nodes.shape(each) or ()) for each in tensors)
        read = {each: self.read(each) for each in tensors}
        wide = {each: self.widened(before, v, rank) for each, v in read.items() if v is not None}
        own = sorted(wide.values(), key=lambda value: value.is_repeated)
        if len({value.layout for value in own}) != 1:
            return None
        like = self.ordered(before, own[0]) if ordered else own[0]
        made: list[Node] = []
        for each in tensors:
            held = wide.get(each)
            moved = (
                self.beside(before, each, like)
                if held is None
                else self.placed(before, held, like.fold).node
            )
            if moved is None:
                return None
            made.append(moved)
        return like, made

    def folded(self, before: Node, value: Apart, shape: tuple[Any, ...]) -> Node:
        """Return the tensor itself: everything folded into its batch again."""
        layout, node = value.layout, self.ordered(before, value).node
        ahead, behind = list(shape[: layout.dim]), list(shape[layout.dim + 1 :])
        if layout.dim or layout.outer > 1:
            wide = self.reshape(before, node, [-1, *ahead, layout.outer, layout.inner, *behind])
            batch = layout.dim + 1  # behind the blocks
            order = [*range(1, batch + 1), 0, *range(batch + 1, len(shape) + 2)]
            node = self.permute(before, wide, order)
        return self.insert(before, _aten.reshape.default, node, [*ahead, -1, *behind])

    def unfolded(self, before: Node, node: Node, layout: Layout) -> Apart:
        """Return what stands for a tensor that is made with everything folded into its batch."""
        shape, held = tuple(nodes.shape(node) or ()), node
        ahead, behind = list(shape[: layout.dim]), list(shape[layout.dim + 1 :])
        if layout.dim or layout.outer > 1:
            sizes = [*ahead, layout.outer, -1, layout.inner, *behind]
            held = self.insert(before, _aten.reshape.default, held, sizes)
            batch = layout.dim + 1
            others = [dim for dim in range(len(sizes)) if dim != batch]
            held = self.permute(before, held, [batch, *others])
        held = self.reshape(before, held, self.sizes(node, layout))
        return Apart(held, layout, layout.dim + 1 if layout.count > 1 else 0)
