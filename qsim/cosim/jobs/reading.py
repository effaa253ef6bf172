"""How the result of a move is read from its operand: nested counters with a stride each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from qsim.golden import Case
    from qsim.program import Array


@dataclass(frozen=True, slots=True)
class Reading:
    """A tensor that is read in another order.

    Element (i_0, i_1, ...) of the result lies at ``base + sum(k_d * strides[d])`` of the operand in
    C order; k_d is ``positions[i_d]`` along the gathered dimension, i_d elsewhere.

    Attributes:
        sizes: of the result, the outermost dimension first.
        strides: of the operand, for each of them; of either sign, or 0.
        base: where element (0, 0, ...) lies, but for the gathered dimension's part.
        gathered: the dimension whose index goes through the table; None where none does.
        positions: the table.
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    base: int = 0
    gathered: int | None = None
    positions: tuple[int, ...] = ()

    def at_most(self, dimensions: int) -> Reading:
        """Return the same reading with fewer dimensions, if it has more than so many.

        Dimensions of size 1 go, then those that one counter can count together with the next one.
        """
        made = self
        while len(made.sizes) > dimensions:
            found = made._droppable()
            if found is None:
                return made
            made = made._without(found)
        return made

    def _droppable(self) -> int | None:
        """Return a dimension that is nothing, or one and the same with the next one."""
        for d, (size, stride) in enumerate(zip(self.sizes, self.strides, strict=True)):
            if d == self.gathered:
                continue
            if size == 1:
                return d
            joined = d + 1 < len(self.sizes) and d + 1 != self.gathered
            if joined and stride == self.sizes[d + 1] * self.strides[d + 1]:
                return d
        return None

    def _without(self, d: int) -> Reading:
        sizes, strides = list(self.sizes), list(self.strides)
        size = sizes.pop(d)
        strides.pop(d)
        if size != 1:
            sizes[d] *= size
        moved = self.gathered is not None and d < self.gathered
        gathered = self.gathered - 1 if moved and self.gathered is not None else self.gathered
        return replace(self, sizes=tuple(sizes), strides=tuple(strides), gathered=gathered)


def apart(case: Case) -> bool:
    """Return whether each sample of a move's result is made of the same sample of its operand."""
    if case.primitive == "embedding":
        return False
    x, attributes = source(case), _attributes(case)
    if not x.ndim or x.shape[0] != case.expected.shape[0]:
        return False
    match case.primitive:
        case "strided_slice":
            return bool(attributes["starts"][0] == 0 and attributes["steps"][0] == 1)
        case "gather":
            return bool(attributes["axis"] % x.ndim != 0)
        case "permute":
            return bool(attributes["dims"][0] == 0)
        case "pad":
            return bool(attributes["pads"][0] == [0, 0])
        case _:
            return True


def samples(case: Case) -> int:
    """Return how many parts of the operand are read on their own: samples, or 1 where they mix."""
    return max(source(case).shape[0], 1) if apart(case) else 1


def source(case: Case) -> Array:
    """Return the operand that a move reads: of an embedding its table."""
    return case.operands["table" if case.primitive == "embedding" else "x"]


def reading(case: Case) -> Reading:
    """Return how a move reads its operand: the whole of it."""
    x, attributes = source(case), _attributes(case)
    pitches = [math.prod(x.shape[d + 1 :]) for d in range(x.ndim)]
    sizes = case.expected.shape
    match case.primitive:
        case "permute":
            return Reading(sizes, tuple(pitches[d] for d in attributes["dims"]))
        case "gather":
            where: Array = case.operands["indices"]
            return Reading(
                sizes, tuple(pitches), 0, attributes["axis"] % x.ndim, tuple(where.tolist())
            )
        case "embedding":
            rows: Array = case.operands["indices"].reshape(-1)
            found = tuple(int(row) for row in rows)
            return Reading((len(found), *x.shape[1:]), tuple(pitches), 0, 0, found)
        case _:
            starts = zip(attributes["starts"], pitches, strict=True)
            steps = zip(attributes["steps"], pitches, strict=True)
            return Reading(
                sizes, tuple(step * pitch for step, pitch in steps), sum(s * p for s, p in starts)
            )


def addresses(made: Reading) -> Array:
    """Return where each element of the result lies in the operand, in C order."""
    place = np.array([made.base], np.int64)
    for d, (size, stride) in enumerate(zip(made.sizes, made.strides, strict=True)):
        index = np.array(made.positions if d == made.gathered else range(size), np.int64)
        place = np.add.outer(place, index * stride)
    return place.reshape(-1)


def _attributes(case: Case) -> Any:
    return case.attributes
