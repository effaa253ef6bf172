"""Vectors that a design cannot take: a value that it has fixed to another, or has no bits for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from qsim.cosim.jobs import owners
from qsim.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Flags, Job

    Integers = npt.NDArray[np.int64 | np.uint64]


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
    owner = owners(job)
    held = job.unit.inputs.unpack(job.beats)
    kept = np.ones(len(job.expected), np.bool_)
    reasons: dict[str, int] = {}
    for where, reason, wrong in _unfit(dut, held):
        if strict:
            row, lane = (int(i) for i in np.argwhere(wrong)[0])
            name = where.rpartition(".")[2]
            raise InputError(
                f"beat {row} of {job.name!r} has {name} = {held[name][row, lane]}: {reason}",
                where=f"{dut.where}: {where}",
                accepted="without --strict, such vectors are left out",
            )
        results = owner[wrong.any(axis=1)]
        lost = np.zeros_like(kept)
        lost[results[results >= 0]] = True
        if (results < 0).any():
            lost[:] = True
        lost &= kept
        count = int(np.count_nonzero(job.element[lost] >= 0))
        if lost.any():
            reasons[reason] = count
        kept &= ~lost
    return (_only(job, owner, kept) if reasons else job), reasons


def _unfit(dut: Dut, held: dict[str, Integers]) -> Iterator[tuple[str, str, Flags]]:
    """Give the entry of the dut.toml, the reason, and [beats, lanes] that it holds of.

    Fields that the beats do not have are told by ``require_unit``.
    """
    fixed = {name: value for name, value in dut.fixed.items() if name in held}
    operands = {name: binding for name, binding in dut.operands.items() if name in held}
    for name, value in fixed.items():
        wrong = held[name] != value
        if wrong.any():
            yield f"fixed.{name}", f"the design has {name} fixed to {value}", wrong
    for name, binding in operands.items():
        low = -(1 << (binding.bits - 1)) if binding.signed else 0
        high = (1 << (binding.bits - binding.signed)) - 1
        wrong = (held[name] < low) | (held[name] > high)
        if wrong.any():
            reason = f"{name} has a {binding.bits}-bit port, which takes {low}..{high}"
            yield f"operands.{name}", reason, wrong


def _only(job: Job, owner: npt.NDArray[np.int64], kept: Flags) -> Job:
    """Return a job with some of its results."""
    beats = (owner < 0) | kept[owner]
    return replace(
        job,
        beats=job.beats[beats],
        last=job.last[beats],
        expected=job.expected[kept],
        expected_last=job.expected_last[kept],
        element=job.element[kept],
    )
