"""Waves that a simulator wrote, kept whole or not at all; and what is put beside its signals."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qsim.atomic import copy, refused
from qsim.cosim.lanes.events import read_events
from qsim.cosim.lanes.marks import marks
from qsim.cosim.lanes.vcd import merged
from qsim.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cosim.jobs import Job
    from qsim.cosim.lanes.interface import LaneResult, Window
    from qsim.cosim.simulators import Watched


def keep_waves(folder: Path, window: Window) -> None:
    """Copy the waves of a run to where its window says; nothing where it made none.

    Raises:
        UsageError: they cannot be written, or the disk filled up while the simulator wrote them,
            which simulators do not tell.
    """
    made = folder / "waves.vcd"
    if not made.is_file():
        return
    if os.statvfs(folder).f_bavail == 0:
        raise UsageError(
            "cannot be written: no space left on device",
            where=str(made),
            accepted="TMPDIR on a disk with room for waves",
        )
    copy(made, window.path)


def mark_waves(
    folder: Path, window: Window, job: Job, result: LaneResult, watched: Watched | None
) -> None:
    """Keep the waves of a run once more, with the operands, the results and what is wrong.

    Raises:
        SimulationError: the bench's own list of events is not understood.
        UsageError: they cannot be written.
    """
    made, marked = folder / "waves.vcd", folder / "marked.vcd"
    events = read_events(folder / "window.txt")
    if events is None or not made.is_file():
        return
    signals = marks(job, result, events, window.last, watched)
    with (
        refused(marked, "TMPDIR on a disk with room for waves"),
        made.open(encoding="utf-8", errors="surrogateescape") as source,
        marked.open("w", encoding="utf-8", errors="surrogateescape") as target,
    ):
        target.writelines(merged(source, signals))
    copy(marked, window.path)
