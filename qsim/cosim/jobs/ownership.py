"""Which beats of a job a result is made of, and which values of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsim.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from qsim.cosim.jobs.beats import Field, Flags
    from qsim.cosim.jobs.unit import Job


def owners(job: Job) -> npt.NDArray[np.int64]:
    """Return, of each input beat, the output beat that it has a part in; -1 of one that loads.

    A job whose beats form packets has a result for each packet, a table's is loaded first, and any
    other has a result for each beat.

    Raises:
        InputError: beats that are none of these: those of whole layers.
    """
    beats, results = len(job.beats), len(job.expected)
    if any(field.name == "load" for field in job.unit.inputs.fields):
        loads = job.unit.inputs.unpack(job.beats)["load"][:, 0] != 0
        owner = np.cumsum(~loads) - 1
        return np.where(loads, -1, owner)
    if beats == results:
        return np.arange(beats)
    if job.last[-1:].all() and int(np.count_nonzero(job.last)) == results:
        return packets(job.last)
    raise InputError(f"the beats of {job.name!r} form no packets, one for each result")


def packets(last: Flags) -> npt.NDArray[np.int64]:
    """Return, of each beat, the number of its packet."""
    return np.asarray(np.cumsum(last) - last, np.int64)


def lanes_of(job: Job, field: Field, lane: int) -> slice:
    """Return the lanes of an input field that a lane of the results reads."""
    (result,) = (each for each in job.unit.outputs.fields if each.name == job.field)
    if job.unit.module == "correlation":
        columns = job.unit.parameters["COLUMNS"]
        match field.name:
            case "weight":  # [row, column]
                return slice(lane * columns, (lane + 1) * columns)
            case "weight_zero_point":
                return slice(lane, lane + 1)
            case _:
                return slice(0, field.lanes)
    if field.lanes == result.lanes:
        return slice(lane, lane + 1)
    return slice(0, field.lanes)
