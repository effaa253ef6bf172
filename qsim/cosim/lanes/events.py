"""What a bench tells of the cycles whose waves are kept: when beats move, and at what time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qsim.cosim.lanes.interface import SimulationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PERIOD: Final = 10  # ns, of either bench
_EVENT: Final = re.compile(r"([CAT]) (\d+) (\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Events:
    """A window; beats are numbered from the last reset.

    Attributes:
        cycle, time: the first cycle, and the time of its edge in ns.
        accepted, taken: input and output beats, by cycle.
    """

    cycle: int
    time: int
    accepted: Mapping[int, int]
    taken: Mapping[int, int]

    def before(self, cycle: int) -> int:
        """Return the time of the edge before a cycle's own: from then on its values wait for it."""
        return max(self.time + (cycle - 1 - self.cycle) * _PERIOD, 0)


def read_events(path: Path) -> Events | None:
    """Return what happened in a window; None where the simulation ended before it.

    Raises:
        SimulationError: a line that the benches do not write.
    """
    if not path.is_file():
        return None
    begin: tuple[int, int] | None = None
    accepted: dict[int, int] = {}
    taken: dict[int, int] = {}
    for line in path.read_text(encoding="ascii").splitlines():
        match = _EVENT.fullmatch(line)
        if match is None or (match[1] == "C") != (begin is None):
            raise SimulationError(f"the window of the waves has a line {line[:80]!r}")
        cycle, number = int(match[2]), int(match[3])
        if begin is None:
            begin = cycle, number
        else:
            (accepted if match[1] == "A" else taken)[cycle] = number
    return None if begin is None else Events(*begin, accepted, taken)
