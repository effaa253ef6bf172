"""The job of a call for somebody else's design: its geometry, and packets as long as it counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from qsim.cosim import jobs
from qsim.cosim.dut.widths import widened
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Job, Unit
    from qsim.golden import Case
    from qsim.target import Target

# Whose packets can be filled up with beats that leave the result as it is.
_FILLED: Final = ("correlation", "linear", "matmul", "transposed_correlation", "max_pool")


def job(dut: Dut, case: Case | jobs.Prepared, target: Target | None) -> Job:
    """Return the beats of one call as a design takes them.

    The design's own array replaces the target's: integers do not depend on it. Packets that are
    shorter than what the design counts to are filled up with beats that leave the result as it is.
    Results are as wide as the design's ports. A block that no primitive is has its beats already,
    and no target.

    Raises:
        UsageError: there are no beats of the call.
    """
    if isinstance(case, jobs.Prepared) or target is None:
        made = cast("jobs.Prepared", case).job
        return widened(serving(dut, made.unit), made)
    if dut.rows or dut.columns:
        own = target.array
        array = replace(own, rows=dut.rows or own.rows, columns=dut.columns or own.columns)
        target = replace(target, array=array)
    made = jobs.bindable(case, target)
    if dut.packet and dut.primitive in _FILLED:
        made = _filled(made, dut.packet)
    return widened(dut, made)


def serving(dut: Dut, unit: Unit) -> Dut:
    """Return the design with the results of one unit alone: a block's are compared one by one.

    Raises:
        UsageError: a result that the block does not have.
    """
    if dut.custom is None:
        return dut
    names = [field.name for field in dut.custom.results]
    for name in dut.results:
        if name not in names:
            raise UsageError(
                f"the block has no result {name!r}",
                where=f"{dut.where}: results.{name}",
                accepted=", ".join(names),
            )
    own = {field.name for field in unit.outputs.fields}
    return replace(dut, results={k: v for k, v in dut.results.items() if k in own})


def _filled(job: Job, length: int) -> Job:
    """Return a job whose packets have a length, where they are not longer.

    A product is filled with x at its zero point, which adds nothing; a maximum with its last beat.
    """
    ends = np.flatnonzero(job.last)
    lengths = np.diff(ends, prepend=-1)
    missing = np.maximum(length - lengths, 0)
    if not missing.any():
        return job
    fill = job.beats[ends]
    if job.primitive != "max_pool":
        layout = job.unit.inputs
        values = layout.unpack(fill)
        values["x"] = np.broadcast_to(values["x_zero_point"], values["x"].shape)
        fill = layout.pack(values, len(fill))
    # Where each packet's own beats go, and behind them its filling.
    packet = np.repeat(np.arange(len(ends)), lengths)
    shift = np.concatenate([[0], np.cumsum(missing)[:-1]])
    total = len(job.beats) + int(missing.sum())
    beats, last = np.empty((total, job.beats.shape[1]), np.uint64), np.zeros(total, np.bool_)
    taken = np.zeros(total, np.bool_)
    places = np.arange(len(job.beats)) + shift[packet]
    beats[places], taken[places] = job.beats, True
    beats[~taken] = np.repeat(fill, missing, axis=0)
    last[ends + shift + missing] = True
    return replace(job, beats=beats, last=last)
