"""The free places of a memory, as one buffer sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qsim.memory.buffers import Buffer
    from qsim.memory.space import Space


@dataclass(frozen=True, slots=True)
class Gap:
    """A free place that holds a buffer.

    Attributes:
        start: its first address at which the buffer may begin.
        room: bytes from there on; None where nothing ends it.
    """

    start: int
    room: int | None


def gaps(buffer: Buffer, placed: Sequence[tuple[int, Buffer]], space: Space) -> Iterator[Gap]:
    """Give the gaps that hold a buffer, from low to high addresses; there is always one.

    Those beyond the memory's end are given too, in banks of the same size: how far a plan goes
    beyond it is what is missing.

    Args:
        buffer: what looks for a place.
        placed: buffers and their addresses; only those that live when it does are in its way.
        space: the memory.
    """
    if not buffer.size:
        yield Gap(0, 0)
        return
    taken = sorted((at, at + other.size) for at, other in placed if other.meets(buffer))
    free, step = _between(taken), max(space.alignment, buffer.alignment)
    if space.bank_bytes is not None:
        if buffer.size > space.bank_bytes:
            step = space.bank_bytes
        else:
            free = _cut(free, space.bank_bytes)
    for start, stop in free:
        at = -(-start // step) * step
        if stop is None:
            yield Gap(at, None)
        elif at + buffer.size <= stop:
            yield Gap(at, stop - at)


def _between(taken: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int | None]]:
    """Give what lies between intervals, which may overlap."""
    free = 0
    for start, stop in taken:
        if start > free:
            yield free, start
        free = max(free, stop)
    yield free, None


def _cut(free: Iterable[tuple[int, int | None]], bank: int) -> Iterator[tuple[int, int | None]]:
    """Cut intervals at the ends of banks; what nothing ends is cut once."""
    for begin, stop in free:
        start, end = begin, (begin // bank + 1) * bank
        while stop is not None and end < stop:
            yield start, end
            start, end = end, end + bank
        yield (start, end if stop is None else stop)
        if stop is None:
            yield end, None
