"""Where the batch stands in a tensor that has other dimensions folded into it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes, rows_of

if TYPE_CHECKING:
    from torch.fx import Node


@dataclass(frozen=True, slots=True)
class Layout:
    """The dimension that counts samples, and what is folded into it.

    Attributes:
        dim: the dimension; its size is ``outer * batch * inner``, and index
            ``(o * batch + sample) * inner + i`` belongs to that sample.
        outer: how many blocks of all samples there are: of images joined along the batch.
        inner: how many rows of one sample follow each other: frames, windows, heads.
    """

    dim: int
    outer: int = 1
    inner: int = 1

    @property
    def count(self) -> int:
        """Rows of one sample."""
        return self.outer * self.inner


PLAIN: Final = Layout(0)


@dataclass(frozen=True, slots=True)
class Apart:
    """What stands for a tensor: the same elements as (batch, ...), each sample by itself.

    Dimensions follow in the tensor's order, without its dimension of the batch. What is folded
    into that is one dimension more, at its place or, between convolutions, behind the channels.

    Attributes:
        node: makes them; of a constant that every sample reads, dimension 0 is 1.
        layout: the tensor's.
        fold: the dimension of what is folded; 0 where nothing is.
        moved: nothing was computed since the batch was plain, so the tensor itself costs nothing.
    """

    node: Node
    layout: Layout
    fold: int = 0
    moved: bool = False

    @property
    def is_repeated(self) -> bool:
        """Return whether it is a constant that every sample reads."""
        return isinstance((nodes.shape(self.node) or ("",))[0], int)

    def at(self, dim: int) -> int:
        """Return where a dimension of the tensor stands; the batch's is that of what is folded."""
        if dim == self.layout.dim:
            return self.fold
        place = dim + 1 if dim < self.layout.dim else dim
        return place + 1 if self.fold and place >= self.fold else place

    @property
    def rank(self) -> int:
        """Return the tensor's number of dimensions."""
        rank = len(nodes.shape(self.node) or ())
        return rank - 1 if self.fold else rank


def batch_of(shape: tuple[Any, ...] | None, symbols: set[str]) -> tuple[int, int] | None:
    """Return the one dimension that counts samples, and how many rows of each it has.

    Args:
        shape: as export recorded it.
        symbols: what batches are called.
    """
    open_dims = [dim for dim, size in enumerate(shape or ()) if not isinstance(size, int)]
    if len(open_dims) != 1 or shape is None or 0 in (*map(_number, shape),):
        return None
    count = rows_of(shape[open_dims[0]], symbols)
    return None if count is None else (open_dims[0], count)


def _number(size: Any) -> int:
    return size if isinstance(size, int) else 1


def reshaped(
    layout: Layout, before: tuple[Any, ...], after: tuple[Any, ...], dim: int, count: int
) -> Layout | None:
    """Return the layout of a reshaped tensor, None where samples would be cut up.

    Args:
        layout: before.
        before: the shape before; of the batch's dimension only its place counts.
        after: the shape after.
        dim: the batch's dimension after.
        count: how many batches it is.
    """
    outer, left = divmod(layout.outer * math.prod(before[: layout.dim]), math.prod(after[:dim]))
    rows = layout.inner * math.prod(before[layout.dim + 1 :])
    inner, right = divmod(rows, math.prod(after[dim + 1 :]))
    if left or right or outer * inner != count:
        return None
    return Layout(dim, outer, inner)
