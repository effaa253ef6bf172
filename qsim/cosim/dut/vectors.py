"""Vectors that a design cannot take: its ports, registers or packets do not have the values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.cosim.jobs import owners, packets
from qsim.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from qsim.cosim.dut.binding import Binding, Dut
    from qsim.cosim.jobs import Flags, Job

    Integers = npt.NDArray[np.int64 | np.uint64]

LONGEST: Final = 4096  # beats of a packet that is kept to be sent twice


@dataclass(frozen=True, slots=True)
class Unfit:
    """One thing that a design cannot take.

    Attributes:
        where: the entry of the dut.toml.
        reason: the rule.
        wrong: [beats, lanes]: what breaks it.
        example: the first that does.
    """

    where: str
    reason: str
    wrong: Flags
    example: str


def without_unfit(dut: Dut, job: Job, *, strict: bool = False) -> tuple[Job, dict[str, int]]:
    """Return a job without the results that the design cannot be given the operands of.

    Args:
        dut: the design.
        job: of one call.
        strict: refuse instead.

    Returns:
        The job, and why how many elements are not in it: each under the first reason of its beats.
        A table that cannot be loaded leaves nothing.

    Raises:
        InputError: with ``strict``, a beat holds what the design cannot be given.
    """
    of_beat, of_result = _groups(job)
    kept = np.ones(len(job.expected), np.bool_)
    reasons: dict[str, int] = {}
    for each in _unfit(dut, job):
        if strict:
            raise InputError(
                f"{each.example}: {each.reason}",
                where=f"{dut.where}: {each.where}",
                accepted="without --strict, such vectors are left out",
            )
        groups = of_beat[each.wrong.any(axis=1)]
        lost = np.isin(of_result, groups) if (groups >= 0).all() else np.ones_like(kept)
        lost &= kept
        if lost.any():
            count = int(np.count_nonzero(job.element[lost] >= 0))
            reasons[each.reason] = reasons.get(each.reason, 0) + count
        kept &= ~lost
    if not reasons:
        return job, reasons
    beats = (of_beat < 0) | np.isin(of_beat, of_result[kept])
    return _only(job, beats, kept), reasons


def _groups(job: Job) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return which beats and which results stay together; -1 of a beat that loads a table."""
    if job.unit.packet:  # packets out of packets
        return packets(job.last), packets(job.expected_last)
    return owners(job), np.arange(len(job.expected))


def _unfit(dut: Dut, job: Job) -> Iterator[Unfit]:
    """Give what the design cannot take; fields that beats do not have are told elsewhere."""
    held = job.unit.inputs.unpack(job.beats)
    for name, value in dut.fixed.items():
        if name in held:
            wrong = held[name] != value
            reason = f"the design has {name} fixed to {value}"
            yield from _fields(job, held, f"fixed.{name}", reason, wrong)
    for name, binding in dut.operands.items():
        if name not in held:
            continue
        where, array = f"operands.{name}", held[name]
        yield from _fields(job, held, where, *_out_of_range(name, binding, array))
        if binding.shared:
            reason = f"all lanes of a beat share {name}"
            yield from _fields(job, held, where, reason, array != array[:, :1])
        if binding.static and dut.reduces:
            reason = f"{name} is a register of the layer, which stays through a packet"
            yield from _fields(job, held, where, reason, _changed(job, array))
    if dut.reduces:
        yield from _lengths(dut, job)


def _fields(
    job: Job, held: Mapping[str, Integers], where: str, reason: str, wrong: Flags
) -> Iterator[Unfit]:
    if wrong.any():
        row, lane = (int(i) for i in np.argwhere(wrong)[0])
        name = where.partition(".")[2]
        example = f"beat {row} of {job.name!r} has {name} = {held[name][row, lane]}"
        yield Unfit(where, reason, wrong, example)


def _out_of_range(name: str, binding: Binding, array: Integers) -> tuple[str, Flags]:
    """Return the values whose code at the port has not the port's bits."""
    low = -(1 << (binding.bits - 1)) if binding.signed else 0
    high = (1 << (binding.bits - binding.signed)) - 1
    reason = f"{name} has a {binding.bits}-bit port, which takes {low}..{high}"
    if binding.plain:
        return reason, (array < low) | (array > high)
    reason += f" of {binding.scale} * {name} + {binding.add}"
    codes = array.astype(object) * binding.scale + binding.add
    return reason, np.asarray((codes < low) | (codes > high), np.bool_)


def _changed(job: Job, array: Integers) -> Flags:
    """Return the values that are not those of their packet's first beat."""
    packet = packets(job.last)
    first = np.concatenate([[0], np.flatnonzero(job.last)[:-1] + 1])
    return np.asarray(array != array[first[packet]], np.bool_)


def _lengths(dut: Dut, job: Job) -> Iterator[Unfit]:
    lengths = np.diff(np.flatnonzero(job.last), prepend=-1)
    rules = []
    if dut.packet:
        rules.append((f"the design counts {dut.packet} beats a packet", lengths != dut.packet))
    if dut.loads:
        reason = f"packets of which a part is loaded first have at most {LONGEST} beats"
        rules.append((reason, lengths > LONGEST))
    for reason, wrong in rules:
        if wrong.any():
            packet = int(np.flatnonzero(wrong)[0])
            example = f"packet {packet} of {job.name!r} has {lengths[packet]} beats"
            yield Unfit("packet", reason, wrong[packets(job.last)][:, None], example)


def _only(job: Job, beats: Flags, kept: Flags) -> Job:
    """Return a job with some of its beats and results."""
    return replace(
        job,
        beats=job.beats[beats],
        last=job.last[beats],
        expected=job.expected[kept],
        expected_last=job.expected_last[kept],
        element=job.element[kept],
    )
