"""One arena for tensors that do not live at the same time.

Greedy by size: the largest tensor first, each at the lowest address that no tensor alive at the
same time occupies. (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
Inference", 2020; TFLite Micro's planner does the same.)
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Buffer:
    """A tensor's need of memory.

    Attributes:
        name: unique.
        size: bytes.
        first, last: the steps in which it must hold its value, both included.
    """

    name: str
    size: int
    first: int
    last: int

    def meets(self, other: Buffer) -> bool:
        """Return whether both live at the same time."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Plan:
    """Offsets of buffers in one arena.

    Attributes:
        buffers: by name.
        offsets: bytes from the arena's start, by name.
        size: bytes of the arena.
        alignment: bytes, of every offset.
    """

    buffers: Mapping[str, Buffer]
    offsets: Mapping[str, int]
    size: int
    alignment: int

    @property
    def bound(self) -> int:
        """Bytes that live at the busiest step: no plan is smaller."""
        steps = {buffer.first for buffer in self.buffers.values()}
        return max(
            (
                sum(b.size for b in self.buffers.values() if b.first <= step <= b.last)
                for step in steps
            ),
            default=0,
        )


def plan(buffers: Iterable[Buffer], alignment: int = 16) -> Plan:
    """Place buffers.

    Args:
        buffers: in any order; the plan does not depend on it.
        alignment: bytes, 1 or more.

    Raises:
        UsageError: an alignment below 1.
    """
    if alignment < 1:
        raise UsageError(f"alignment must be 1 or more, not {alignment}", accepted="bytes, 1..")
    known = {buffer.name: buffer for buffer in buffers}
    placed: list[tuple[int, Buffer]] = []
    for buffer in sorted(known.values(), key=lambda b: (-b.size, b.first, b.name)):
        placed.append((_lowest(buffer, placed, alignment), buffer))
    offsets = {buffer.name: offset for offset, buffer in placed}
    size = max((offset + buffer.size for offset, buffer in placed), default=0)
    return Plan(
        MappingProxyType(known),
        MappingProxyType({name: offsets[name] for name in known}),
        size,
        alignment,
    )


def _lowest(buffer: Buffer, placed: list[tuple[int, Buffer]], alignment: int) -> int:
    offset = 0
    taken = sorted((at, other.size) for at, other in placed if other.meets(buffer))
    for at, size in taken:
        if offset + buffer.size <= at:
            break
        offset = max(offset, -(-(at + size) // alignment) * alignment)
    return offset
