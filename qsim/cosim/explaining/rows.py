"""What is told of a unit that takes rows: all codes of a row, and a place in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.cosim.jobs import packets

if TYPE_CHECKING:
    from qsim.cosim.jobs import Job

MARKS: Final = "shown"  # beside each code of a row: whether it counts
PLACE: Final = "place"  # of a code in its row or pair: no field has it


def row_of(job: Job, beat: int) -> dict[str, list[int]]:
    """Return the codes of an output beat's row, its place, and what else its beat holds."""
    owner = packets(job.last)
    rows = np.flatnonzero(owner == owner[beat])
    held = job.unit.inputs.unpack(job.beats[rows])
    place = int(np.flatnonzero(rows == beat)[0])
    listed: dict[str, list[int]] = {
        name: held[name][:, 0].tolist() for name in ("x", MARKS) if name in held
    }
    own = {name: [int(values[place, 0])] for name, values in held.items() if name not in listed}
    return {**listed, PLACE: [place], **own}
