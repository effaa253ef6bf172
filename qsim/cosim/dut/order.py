"""The order of beats for a design of several operations a beat, each with parameters of its own.

In C order the operations of one beat mostly belong to one channel, so a design that gives every
lane the parameters of the first one, or in the opposite order, would agree.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Job

    Integers = npt.NDArray[np.int64]


def spread(dut: Dut, job: Job) -> Job:
    """Return a job in which operations side by side differ in their own parameters.

    Beats change places where no two operations of a beat differ in a field that each lane has a
    port for, though the field changes within the call. What lanes share, or a register holds,
    changes as often as before; ``last`` stays in its place.
    """
    if dut.lanes == 1 or dut.reduces or job.unit.packet or len(job.beats) != len(job.expected):
        return job
    held = job.unit.inputs.unpack(job.beats)
    common: list[npt.NDArray[np.int64 | np.uint64]] = []
    own: list[npt.NDArray[np.int64 | np.uint64]] = []
    for name, binding in dut.operands.items():
        if name not in held:  # told elsewhere
            continue
        (common if binding.shared or binding.static else own).append(held[name])
    runs = _runs(common, len(job.beats))
    grouped = _grouped(dut.lanes, runs, job)
    alike = [each for each in own if not _differs(each, grouped) and _differs(each, _same(runs))]
    if not alike:
        return job
    _, parameters = np.unique(np.concatenate(alike, axis=1), axis=0, return_inverse=True)
    order = _in_turn(parameters.reshape(-1), runs)
    return replace(
        job,
        beats=job.beats[order],
        expected=job.expected[order],
        element=job.element[order],
    )


def _runs(common: list[npt.NDArray[np.int64 | np.uint64]], count: int) -> Integers:
    """Return a number for each beat: beats that can be side by side have the same."""
    changes = np.zeros(count, np.bool_)
    for values in common:
        changes[1:] |= (values[1:] != values[:-1]).any(axis=1)
    return np.asarray(np.cumsum(changes), np.int64)


def _grouped(lanes: int, runs: Integers, job: Job) -> npt.NDArray[np.bool_]:
    """Return whether each beat is in one beat of the design with the beat before it."""
    starts = np.concatenate([[True], (runs[1:] != runs[:-1]) | job.last[:-1]])
    first = np.flatnonzero(starts)[np.cumsum(starts) - 1]
    return np.asarray((np.arange(len(runs)) - first) % lanes != 0, np.bool_)[1:]


def _same(runs: Integers) -> npt.NDArray[np.bool_]:
    return np.asarray(runs[1:] == runs[:-1], np.bool_)


def _differs(values: npt.NDArray[np.int64 | np.uint64], together: npt.NDArray[np.bool_]) -> bool:
    """Return whether a field differs between two neighbours that are together."""
    return bool(((values[1:] != values[:-1]).any(axis=1) & together).any())


def _in_turn(parameters: Integers, runs: Integers) -> Integers:
    """Return the order that takes one beat of each set of parameters in turn, run by run."""
    sets = runs * (int(parameters.max()) + 1) + parameters
    by_set = np.argsort(sets, kind="stable")
    first = np.concatenate([[True], np.diff(sets[by_set]) != 0])
    starts = np.flatnonzero(first)[np.cumsum(first) - 1]
    turn = np.empty(len(sets), np.int64)
    turn[by_set] = np.arange(len(sets)) - starts
    return np.asarray(np.lexsort((parameters, turn, runs)), np.int64)
