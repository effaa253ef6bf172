"""Compares what comes out of the design with what must come, to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Difference:
    """A result that is not as expected; both as tlast and tdata in binary digits, x and z kept."""

    beat: int
    cycle: int
    expected: str
    actual: str

    def line(self) -> str:
        """Return it in the words of the results file: D beat cycle, then tlast and tdata twice."""
        return f"D {self.beat} {self.cycle} {_digits(self.expected)} {_digits(self.actual)}"


class Scoreboard:
    """The results of a job, in their order.

    Attributes:
        taken: results since the last restart.
        left: results that are still to come; below 0 where there were too many.
        differing: results that were not as expected, of the whole run.
        differences: the first of them.
    """

    def __init__(self, expected: Sequence[str], limit: int, *, compare_last: bool = True) -> None:
        self._expected = expected
        self._limit = limit
        self._last = compare_last
        self.restart()
        self.differing = 0
        self.differences: list[Difference] = []

    def restart(self) -> None:
        """Expect the first result again."""
        self.taken = 0
        self.left = len(self._expected)

    def take(self, payload: str, cycle: int) -> None:
        """Compare one result; one that nobody expects only counts."""
        wanted = self._expected[self.taken] if self.left > 0 else payload
        if not self._last:
            payload = wanted[0] + payload[1:]
        if payload != wanted:
            self.differing += 1
            if len(self.differences) < self._limit:
                self.differences.append(Difference(self.taken, cycle, wanted, payload.lower()))
        self.taken += 1
        self.left -= 1


def _digits(payload: str) -> str:
    """Return tlast and tdata: hexadecimal digits, or b and binary ones where some are unknown."""
    last, data = payload[0], payload[1:]
    known = not data.strip("01")
    return f"{last} {int(data, 2):0{-(-len(data) // 4)}x}" if known else f"{last} b{data}"
