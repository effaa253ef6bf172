"""Waves that a simulator wrote, kept: whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qsim.atomic import copy
from qsim.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cosim.lanes.interface import Window


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
