"""What is planned, and the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.memory.space import Space


@dataclass(frozen=True, slots=True)
class Buffer:
    """A tensor's need of memory.

    Attributes:
        name: unique.
        size: bytes.
        first, last: the steps in which it must hold its value, both included.
        alignment: bytes of an element, 1, 2, 4 or 8: its address is a multiple of them too.
    """

    name: str
    size: int
    first: int
    last: int
    alignment: int = 1

    def meets(self, other: Buffer) -> bool:
        """Return whether both live at the same time."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Plan:
    """Offsets of buffers in one arena.

    Attributes:
        planner: its name.
        buffers: by name.
        offsets: bytes from the arena's start, by name.
        space: the memory that it was made for.
    """

    planner: str
    buffers: Mapping[str, Buffer]
    offsets: Mapping[str, int]
    space: Space

    @property
    def size(self) -> int:
        """Bytes of the arena."""
        ends = (self.offsets[name] + buffer.size for name, buffer in self.buffers.items())
        return max(ends, default=0)

    @property
    def bound(self) -> int:
        """Bytes that live at the busiest step: no plan is smaller."""
        return busiest(self.buffers)[1]

    @property
    def fits(self) -> bool:
        """Whether the memory holds it."""
        return self.space.holds(self.size)

    def banks(self, name: str) -> tuple[int, int]:
        """Return the first and the last bank that a buffer of a plan that fits lies in."""
        return self.space.banks_of(self.offsets[name], self.buffers[name].size)

    @property
    def astray(self) -> tuple[str, ...]:
        """Buffers that lie across banks as ``Space`` does not want them, for lack of bytes."""
        bank = self.space.bank_bytes
        if bank is None:
            return ()
        return tuple(
            name
            for name, buffer in self.buffers.items()
            if (
                self.offsets[name] % bank != 0
                if buffer.size > bank
                else len(set(self.banks(name))) > 1
            )
        )


def busiest(buffers: Mapping[str, Buffer]) -> tuple[int, int]:
    """Return the step at which most bytes live, the first of several, and how many those are."""
    change: dict[int, int] = {}
    for buffer in buffers.values():
        change[buffer.first] = change.get(buffer.first, 0) + buffer.size
        change[buffer.last + 1] = change.get(buffer.last + 1, 0) - buffer.size
    step = most = live = 0
    for at in sorted(change):
        live += change[at]
        if live > most:
            step, most = at, live
    return step, most
