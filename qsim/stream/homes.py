"""Whose memory a tensor lives in.

It is its own, that of an operand which nobody reads again, or a part of another tensor's.

A slice whose elements lie side by side in its operand is a part of that; a concat's operands are
made where the concat wants them. Neither costs a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qsim.program import PRIMITIVES, live_ranges
from qsim.stream.views import parts_of, window_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from qsim.memory import Space
    from qsim.program import Call, ProgramData
    from qsim.stream.layout import Layout
    from qsim.stream.steps import Step


@dataclass(frozen=True, slots=True)
class Homes:
    """Where tensors live; all by the names of tensors.

    Attributes:
        buffers: the tensor whose buffer each lives in, in the order in which they are made.
        starts: bytes from there.
        instead: the operand that a result overwrites.
        within: the operand that a slice, or a reshape, is a part of, with the same codes.
        joined: an operand of a concat, and the result that it was made in.
    """

    buffers: dict[str, str] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    instead: dict[str, str] = field(default_factory=dict)
    within: dict[str, str] = field(default_factory=dict)
    joined: set[tuple[str, str]] = field(default_factory=set)


def homes(
    program: ProgramData,
    steps: Sequence[Step],
    layouts: Mapping[str, Layout],
    space: Space,
    *,
    parts: bool = True,
) -> Homes:
    """Return where every tensor in memory lives.

    A result takes an operand's bytes where the primitive's binding allows it, elements of both lie
    at the same addresses, and no later step reads what lies there. A part begins at an aligned
    address, in a buffer that one bank holds.

    Args:
        program: the network.
        steps: its steps.
        layouts: of its tensors.
        space: the memory.
        parts: whether tensors may be parts of others.
    """
    finder = _Finder(program, layouts, space, live_ranges([step.uses for step in steps]))
    calls = program.calls if parts else ()
    wanted = {name for call in calls for name, _ in parts_of(program, call, layouts)}
    for index, step in enumerate(steps):
        if not step.write:
            continue
        finder.own(step.write)
        if len(step.calls) != 1:
            continue
        call = program.calls[step.calls[0]]
        if not finder.overwrite(index, step, call, wanted) and parts:
            finder.look_into(call)
            finder.join(call)
    return finder.found


class _Finder:
    """Decides in the order of steps: what it knows are the tensors made so far."""

    def __init__(
        self,
        program: ProgramData,
        layouts: Mapping[str, Layout],
        space: Space,
        ranges: Mapping[str, tuple[int, int]],
    ) -> None:
        self.program, self.layouts, self.space, self.ranges = program, layouts, space, ranges
        self.found = Homes()
        self.members: dict[str, list[str]] = {}  # of each buffer

    def own(self, name: str) -> None:
        """Give a tensor a buffer of its own."""
        self._put(name, name, 0)

    def _put(self, name: str, buffer: str, start: int) -> None:
        old = self.found.buffers.get(name)
        if old is not None:
            self.members[old].remove(name)
            if not self.members[old]:
                del self.members[old]
        self.found.buffers[name], self.found.starts[name] = buffer, start
        self.members.setdefault(buffer, []).append(name)

    def overwrite(self, index: int, step: Step, call: Call, wanted: Collection[str]) -> bool:
        """Let a result take an operand's bytes; return whether it does.

        Not those of a part of another tensor where the result is ``wanted``, by a concat.
        """
        for name in overwritable(call):
            if name in self.program.constants or (call.output in wanted and not self._whole(name)):
                continue
            if alike(self.layouts[name], self.layouts[call.output]) and self._free(
                index, step, name
            ):
                self._put(call.output, self.found.buffers[name], self.found.starts[name])
                self.found.instead[call.output] = name
                return True
        return False

    def _free(self, index: int, step: Step, name: str) -> bool:
        """Return whether nothing later reads the bytes of an operand, under whatever name."""
        start, size = self._span(name)
        for other in self.members[self.found.buffers[name]]:
            at, length = self._span(other)
            if at + length <= start or start + size <= at or self.ranges[other][1] < index:
                continue
            # What this step reads may only lie element by element where it writes.
            if self.ranges[other][1] > index or (
                other in step.reads and (at, length) != (start, size)
            ):
                return False
        return True

    def _span(self, name: str) -> tuple[int, int]:
        return self.found.starts[name], self.layouts[name].bytes

    def look_into(self, call: Call) -> None:
        """Let a slice, or another name for the same codes, be a part of its operand."""
        at = window_of(self.program, call, self.layouts)
        if at is None:
            return
        (x, *_), y = call.inputs, call.output
        buffer, start = self.found.buffers[x], self.found.starts[x] + at
        if self._holds(buffer, y, start):
            self._put(y, buffer, start)
            self.found.within[y] = x

    def join(self, call: Call) -> None:
        """Let what a concat puts together be made in its result."""
        y = call.output
        for x, at in parts_of(self.program, call, self.layouts):
            buffer = self.found.buffers[x]
            # Only a buffer that is all of this operand can move.
            if buffer == y or not self._whole(x) or not self._holds(y, x, at):
                continue
            for member in list(self.members[buffer]):
                self._put(member, y, self.found.starts[member] + at)
            self.found.joined.add((x, y))

    def _whole(self, name: str) -> bool:
        """Return whether a tensor takes all of the buffer that it lives in."""
        return self.layouts[self.found.buffers[name]].bytes == self.layouts[name].bytes

    def _holds(self, buffer: str, name: str, start: int) -> bool:
        """Return whether a tensor may begin there in a buffer."""
        layout, bank = self.layouts[name], self.space.bank_bytes
        if start % max(self.space.alignment, layout.dtype.itemsize):
            return False
        return bank is None or self.layouts[buffer].bytes <= bank


def overwritable(call: Call) -> tuple[str, ...]:
    """Return the operands of a call that its result may overwrite, element by element."""
    binding = PRIMITIVES[call.primitive]
    names = zip(binding.slots(len(call.inputs)), call.inputs, strict=True)
    return tuple(name for slot, name in names if slot in binding.overwrites)


def alike(x: Layout, y: Layout) -> bool:
    """Return whether the elements of both lie at the same distances from the start."""
    if x.dtype.itemsize != y.dtype.itemsize or x.size != y.size:
        return False
    return (x.shape, x.order) == (y.shape, y.order) or (x.plain and y.plain)
