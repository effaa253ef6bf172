"""Primitives that move codes as an operator does, from the position that each result is read at.

Whatever the operator (a slice, a flip, a pixel shuffle, windows): its result is its operand, read
at positions known beforehand. From these, not from its name, follow the primitives:

    reshape   the operand's dimensions, cut where the operator cuts them, merged where it mixes them
    strided_slice, gather   each such dimension is read at a start and a step, or at positions
    reshape, permute, reshape   and what was read is put into the result's order

with each left out where it would change nothing. Positions that follow no rule at all are gathered
from the operand as one dimension. Of several ways the one with the fewest primitives is taken; a
table of many positions counts as further ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Positions: TypeAlias = npt.NDArray[np.int64]
Primitive: TypeAlias = Literal["reshape", "permute", "strided_slice", "gather"]

_RANK: Final = 7  # a Program's tensors have 8 dimensions at most, one of them the batch
_TABLE: Final = 1 << 14  # so many positions in a table are as dear as one more primitive


@dataclass(frozen=True, slots=True)
class Move:
    """One primitive that moves codes.

    Attributes:
        primitive: its name.
        shape: of its result.
        attributes: its own: ``dims`` of a permute, ``starts`` and ``steps`` of a strided slice,
            ``axis`` of a gather; a reshape and the sizes of a slice have the shape.
        indices: the positions of a gather.
    """

    primitive: Primitive
    shape: tuple[int, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    indices: tuple[int, ...] = ()

    def written(self, batch: Sequence[int] = ()) -> dict[str, Any]:
        """Return the attributes of a call, for tensors with an open batch or without."""
        ahead = len(batch)
        match self.primitive:
            case "reshape":
                return {"shape": [*[0] * ahead, *self.shape]}
            case "permute":
                return {"dims": [*range(ahead), *(dim + ahead for dim in self.attributes["dims"])]}
            case "gather":
                return {"axis": self.attributes["axis"] + ahead}
        return {
            "starts": [*[0] * ahead, *self.attributes["starts"]],
            "steps": [*[1] * ahead, *self.attributes["steps"]],
            "sizes": [*batch, *self.shape],
        }


def moves(lengths: Sequence[int], positions: Positions) -> tuple[Move, ...]:
    """Return the primitives that read a tensor at positions.

    Args:
        lengths: the operand's shape, without an open batch.
        positions: of each element of the result, in the operand as one dimension; not empty.

    Returns:
        Primitives in order; none where nothing moves.
    """
    lengths = tuple(lengths)
    cut = _cut(positions)
    first = _moves(lengths, lengths, positions, positions)
    if len(first) <= 1 and not any(move.indices for move in first):
        return tuple(first)
    found = [
        first,
        *(_moves(lengths, axes, cut, positions) for axes in (_refined(lengths, cut), lengths)),
    ]
    kept = [way for way in found if all(len(move.shape) <= _RANK for move in way)]
    if not kept:
        kept = [_moves(lengths, (math.prod(lengths),), positions.reshape(-1), positions)]
    return tuple(min(kept, key=_cost))


def _cost(way: Sequence[Move]) -> tuple[int, int]:
    table = sum(len(move.indices) for move in way)
    return len(way) + table // _TABLE, table


def _cut(positions: Positions) -> Positions:
    """Cut dimensions whose steps change with a period: a tile is two dimensions, one of step 0."""
    origin = positions[(0,) * positions.ndim]
    lines = [_line(positions, axis) - origin for axis in range(positions.ndim)]
    whole = sum((_along(line, axis, positions.ndim) for axis, line in enumerate(lines)), origin)
    if not np.array_equal(np.broadcast_to(whole, positions.shape), positions):
        return positions
    return positions.reshape([part for line in lines for part in _periods(line)])


def _line(positions: Positions, axis: int) -> Positions:
    return positions[tuple(slice(None) if at == axis else 0 for at in range(positions.ndim))]


def _along(line: Positions, axis: int, rank: int) -> Positions:
    return line.reshape([-1 if at == axis else 1 for at in range(rank)])


def _periods(line: Positions) -> list[int]:
    """Return the lengths that a dimension is cut into, the slowest first."""
    steps = np.diff(line)
    breaks = np.flatnonzero(steps != steps[0]) if steps.size else steps
    if not breaks.size:
        return [len(line)]
    inner = int(breaks[0]) + 1
    if len(line) % inner:
        return [len(line)]
    blocks = line.reshape(-1, inner)
    if (blocks - blocks[:, :1] != blocks[0] - blocks[0, 0]).any():
        return [len(line)]
    return [*_periods(blocks[:, 0]), inner]


def _refined(lengths: tuple[int, ...], positions: Positions) -> tuple[int, ...]:
    """Cut the operand's dimensions at the steps with which the result reads them."""
    wanted: set[int] = set()
    for axis in range(positions.ndim):
        steps = np.diff(_line(positions, axis))
        if steps.size and (steps == steps[0]).all() and steps[0]:
            step = abs(int(steps[0]))
            wanted |= {step, step * len(_line(positions, axis))}
    axes: list[int] = []
    stride = 1
    for length in reversed(lengths):
        end, at = stride * length, stride
        cuts: list[int] = []
        for step in sorted(wanted):
            if at < step < end and step % at == 0 and end % step == 0:
                cuts.append(step // at)
                at = step
        axes = [end // at, *reversed(cuts), *axes]
        stride = end
    return tuple(axes)


def _moves(
    lengths: tuple[int, ...], axes: tuple[int, ...], result: Positions, whole: Positions
) -> list[Move]:
    """Return the primitives where the operand is seen as ``axes``, the result as it is given."""
    seen, owners = _owned(list(axes), result)
    seen, reads = _reads(seen, owners, result)
    way: list[Move] = []
    shape = lengths
    if tuple(seen) != lengths:
        shape = tuple(seen)
        way.append(Move("reshape", shape))
    for move in _taken(seen, [line for line, _ in reads]):
        way.append(move)
        shape = move.shape
    order = [digit for _, digits in reads for digit in digits]
    if order != sorted(order):
        places = [at for at, (_, digits) in enumerate(reads) if digits]
        if any(len(digits) > 1 for _, digits in reads):
            shape = tuple(result.shape[digit] for digit in order)
            way.append(Move("reshape", shape))
            places = list(range(len(order)))
        ranked = [places[order.index(digit)] for digit in sorted(order)]
        dims = [*ranked, *(at for at in range(len(shape)) if at not in ranked)]
        shape = tuple(shape[at] for at in dims)
        way.append(Move("permute", shape, {"dims": dims}))
    if shape != whole.shape:
        way.append(Move("reshape", tuple(whole.shape)))
    return way


def _owned(axes: list[int], result: Positions) -> tuple[list[int], list[int | None]]:
    """Merge dimensions of the operand that one of the result walks along together.

    Returns:
        The dimensions, and for each of the result the one that it walks along, None where it stays.
    """
    while True:
        walked = [_walked(axes, result, digit) for digit in range(result.ndim)]
        wide = next((along for along in walked if len(along) > 1), None)
        if wide is None:
            return axes, [along[0] if along else None for along in walked]
        first, last = wide[0], wide[-1]
        axes = [*axes[:first], math.prod(axes[first : last + 1]), *axes[last + 1 :]]


def _walked(axes: list[int], result: Positions, digit: int) -> list[int]:
    """Return the dimensions of the operand whose place changes along one of the result."""
    if result.shape[digit] == 1:
        return []
    lines = np.moveaxis(result, digit, 0)
    found: list[int] = []
    stride = 1
    for axis in reversed(range(len(axes))):
        if axes[axis] > 1:
            places = lines // stride % axes[axis]
            if (places[1:] != places[:-1]).any():
                found.insert(0, axis)
        stride *= axes[axis]
    return found


_Read: TypeAlias = tuple[Positions, list[int]]


def _reads(
    axes: list[int], owners: list[int | None], result: Positions
) -> tuple[list[int], list[_Read]]:
    """Return what is read of each dimension, and the result's dimensions that it becomes.

    One that only repeats takes a dimension of its own, of length 1: one that is there, if its
    place among the others is right, else a new one.
    """
    read: list[_Read] = []
    stride = math.prod(axes)
    for axis, length in enumerate(axes):
        stride //= max(length, 1)
        digits = [digit for digit, owner in enumerate(owners) if owner == axis]
        part = result[tuple(slice(None) if digit in digits else 0 for digit in range(result.ndim))]
        read.append(((part // stride % length).reshape(-1), digits))
    axes = list(axes)
    for digit, owner in enumerate(owners):
        if owner is None and result.shape[digit] > 1:
            at = 1 + max(
                (i for i, (_, own) in enumerate(read) if own and own[-1] < digit), default=-1
            )
            if at < len(read) and not read[at][1]:
                read[at] = (np.repeat(read[at][0], result.shape[digit]), [digit])
                continue
            axes.insert(at, 1)
            read.insert(at, (np.zeros(result.shape[digit], np.int64), [digit]))
    return axes, read


def _taken(axes: list[int], reads: list[Positions]) -> list[Move]:
    """Return the strided slice and the gathers that read each dimension at its positions."""
    starts, steps, sizes = [0] * len(axes), [1] * len(axes), list(axes)
    tables: dict[int, Positions] = {}
    for axis, places in enumerate(reads):
        by = np.diff(places)
        if by.size and (by != by[0]).any():
            tables[axis] = places
            continue
        starts[axis], sizes[axis] = int(places[0]), len(places)
        steps[axis] = int(by[0]) if by.size else 1
    found: list[Move] = []
    shape = tuple(sizes)
    if (starts, sizes) != ([0] * len(axes), list(axes)) or steps != [1] * len(axes):
        found.append(Move("strided_slice", shape, {"starts": starts, "steps": steps}))
    for axis, table in tables.items():
        shape = (*shape[:axis], len(table), *shape[axis + 1 :])
        found.append(Move("gather", shape, {"axis": axis}, tuple(map(int, table))))
    return found
