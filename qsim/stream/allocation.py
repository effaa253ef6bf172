"""Where the tensors of a Program lie, and the refusal of what the memory does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qsim.errors import ModelError
from qsim.memory import Buffer, busiest, plan
from qsim.program import live_ranges
from qsim.stream.homes import Homes, homes
from qsim.stream.layout import layouts
from qsim.stream.steps import steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.memory import Plan, Space
    from qsim.program import ProgramData
    from qsim.stream.layout import Layout
    from qsim.stream.steps import Step

_ACCEPTED: Final = (
    "a smaller network, or a copy of the target with a larger memory; [memory] bytes = 0 lifts "
    "the limit"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor lies, and when.

    Attributes:
        tensor: its name.
        offset, size: bytes.
        first, last: steps, both included.
        banks: the first and the last that it lies in.
        instead: the operand that it overwrites, or "".
        within: the tensor in whose bytes it lies, or "".
    """

    tensor: str
    offset: int
    size: int
    first: int
    last: int
    banks: tuple[int, int]
    instead: str
    within: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """The memory of a Program for one batch size.

    Attributes:
        steps: in order.
        layouts: of every tensor, those in accumulators included.
        homes: the buffer that each tensor in memory lives in, and where in it.
        plan: where the buffers lie.
        states: pairs of the Program's inputs and outputs that are one from run to run.
    """

    steps: tuple[Step, ...]
    layouts: Mapping[str, Layout]
    homes: Homes
    plan: Plan
    states: tuple[tuple[str, str], ...] = ()

    def offset(self, tensor: str) -> int:
        """Return where a tensor in memory begins, in bytes from the arena's start."""
        return self.plan.offsets[self.homes.buffers[tensor]] + self.homes.starts[tensor]

    def lie_alike(self, one: str, other: str) -> bool:
        """Return whether two tensors begin at one address of one buffer."""
        buffers, starts = self.homes.buffers, self.homes.starts
        return (buffers[one], starts[one]) == (buffers[other], starts[other])

    def places(self) -> tuple[Place, ...]:
        """Return every tensor in memory, in the order in which they are made.

        A state's input is there from the first step to the last, or until its output takes its
        place.
        """
        ranges = live_ranges([step.uses for step in self.steps])
        for before, after in self.states:
            last = ranges[before][1] if self.lie_alike(before, after) else len(self.steps) - 1
            ranges[before] = (0, last)
        found = []
        for name in self.homes.buffers:
            first, last = ranges[name]
            offset, size = self.offset(name), self.layouts[name].bytes
            banks = self.plan.space.banks_of(offset, size)
            instead = self.homes.instead.get(name, "")
            buffer = self.homes.buffers[name]
            within = "" if instead or buffer == name else buffer
            found.append(Place(name, offset, size, first, last, banks, instead, within))
        return tuple(found)


def allocate(program: ProgramData, batch: int = 1, planner: str = "smallest") -> Allocation:
    """Plan the memory of a Program.

    Args:
        program: with the memory that it must fit.
        batch: samples that lie in memory together. A memory is one sample's: with more of them,
            which only this simulator holds at once, none is too small.
        planner: a key of ``qsim.memory.PLANNERS``.

    Raises:
        ModelError: the memory does not hold it; names the layer and what is missing.
        UsageError: no such planner.
    """
    space = program.memory if batch == 1 else program.memory.open()
    found, lie = steps(program), layouts(program, batch)
    lives_in = homes(program, found, lie, space, parts=False)
    kept = program.states
    buffers = _buffers(found, lie, lives_in, kept)
    # Parts of others need no copy, but they keep the whole of what they are parts of.
    shared = homes(program, found, lie, space)
    if shared.within or shared.joined:
        made = plan(_buffers(found, lie, shared, kept).values(), space, planner)
        least = busiest(buffers)[1]
        if made.fits and (
            made.size <= least or made.size <= plan(buffers.values(), space, planner).size
        ):
            return Allocation(found, lie, shared, made, kept)
    _require_room(program, found, buffers, space)
    planned = plan(buffers.values(), space, planner)
    if not planned.fits:
        raise ModelError(**_too_small_for_plan(program, found, planned), accepted=_ACCEPTED)
    return Allocation(found, lie, lives_in, planned, kept)


def _buffers(
    found: tuple[Step, ...],
    lie: Mapping[str, Layout],
    lives_in: Homes,
    states: tuple[tuple[str, str], ...],
) -> dict[str, Buffer]:
    ranges = live_ranges([[lives_in.buffers[name] for name in step.uses] for step in found])
    # What a state holds between two runs, nothing else may take the place of.
    ranges |= {lives_in.buffers[before]: (0, len(found) - 1) for before, _ in states}
    return {
        name: Buffer(name, lie[name].bytes, first, last, lie[name].dtype.itemsize)
        for name, (first, last) in ranges.items()
    }


def _require_room(
    program: ProgramData, found: tuple[Step, ...], buffers: Mapping[str, Buffer], space: Space
) -> None:
    """Refuse what no plan can make fit."""
    step, most = busiest(buffers)
    if not space.holds(most):
        raise ModelError(
            f"tensors of {most:,} bytes live at once, {most - space.bytes:,} more than the "
            f"memory has ({space.bytes:,})",
            where=_where(program, found[step]),
            accepted=_ACCEPTED,
        )


def _too_small_for_plan(
    program: ProgramData, found: tuple[Step, ...], planned: Plan
) -> dict[str, str]:
    """Return the message of an error, and where it is."""
    capacity = planned.space.bytes
    name = max(planned.offsets, key=lambda n: planned.offsets[n] + planned.buffers[n].size)
    message = (
        f"no room is found for {name!r} of {planned.buffers[name].size:,} bytes: the plan takes "
        f"{planned.size:,}, {planned.size - capacity:,} more than the memory has ({capacity:,}), "
        f"although at most {planned.bound:,} live at once"
    )
    return {"message": message, "where": _where(program, found[planned.buffers[name].first])}


def _where(program: ProgramData, step: Step) -> str:
    return f"program {program.name!r}: {step.label}"
