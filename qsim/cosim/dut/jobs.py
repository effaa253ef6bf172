"""The job of a call for somebody else's design: its geometry, and packets as long as it counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from qsim.cosim import jobs
from qsim.cosim.dut.widths import widened

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Job
    from qsim.golden import Case
    from qsim.target import Target


def job(dut: Dut, case: Case, target: Target) -> Job:
    """Return the beats of one call as a design takes them.

    The design's own array replaces the target's: integers do not depend on it. Packets that are
    shorter than what the design counts to are filled up with beats that leave the result as it is.
    Results are as wide as the design's ports.

    Raises:
        UsageError: a primitive or a scheme without RTL.
    """
    if dut.rows or dut.columns:
        own = target.array
        array = replace(own, rows=dut.rows or own.rows, columns=dut.columns or own.columns)
        target = replace(target, array=array)
    made = jobs.job(case, target)
    if dut.packet and dut.primitive != "avg_pool":
        made = _filled(made, dut.packet)
    return widened(dut, made)


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
