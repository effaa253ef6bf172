"""The two ends of a stream: what offers beats, what takes them, and the rules in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from rtl_tb.tb.job import Row


class Source:
    """Offers beats one after the other; an offered beat stays until it is accepted.

    Attributes:
        offered: beats put on the port since the last restart.
        accepted: beats that the design took since the last restart.
        valid: whether one waits on the port.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        put: Sequence[Callable[[int], None]],
        stall: float,
        random: Random,
    ) -> None:
        self._rows = rows
        self._put = put
        self._stall = stall
        self._draw = random.random
        self._shown: Sequence[int | None] = [None] * len(put)
        self.restart()

    def restart(self) -> None:
        """Begin again with the first beat; nothing is offered."""
        self.offered = self.accepted = 0
        self.valid = False

    def accept(self) -> None:
        """Note that the design took the beat on the port."""
        self.accepted += 1
        self.valid = False

    def offer(self) -> None:
        """Put the next beat on the port if it is free, unless this cycle is to stall."""
        if self.valid or self.offered >= len(self._rows):
            return
        if self._stall and self._draw() < self._stall:
            return
        row = self._rows[self.offered]
        for put, word, shown in zip(self._put, row, self._shown, strict=True):
            if word != shown:
                put(word)
        self._shown = row
        self.offered += 1
        self.valid = True


class Sink:
    """Decides when a result is taken.

    Attributes:
        ready: tready of the coming cycle.
        always: it never stalls; there is nothing to decide.
    """

    def __init__(self, stall: float, random: Random, *, wait_for_valid: bool) -> None:
        self._stall = stall
        self._draw = random.random
        self._wait = wait_for_valid
        self.always = not stall and not wait_for_valid
        self.restart()

    def restart(self) -> None:
        """Be ready at once, or when a result waits."""
        self.ready = self.always

    def decide(self, *, waiting: bool) -> None:
        """Choose tready; ``waiting`` tells whether a result was there and was not taken."""
        self.ready = (not self._stall or self._draw() >= self._stall) and (
            not self._wait or waiting
        )


class Rules:
    """What AXI-Stream promises of tvalid, tdata and tlast while tready is low.

    Attributes:
        waited: tlast and tdata of a result that waited in the last cycle, or None.
    """

    def __init__(self, *, compare_last: bool = True) -> None:
        self._from = 2 if compare_last else 3
        self.restart()

    def restart(self) -> None:
        """Forget the beat that waited."""
        self.waited: str | None = None

    def check(self, seen: str, *, ready: bool) -> str:
        """Return the kind of a broken rule, or nothing.

        Args:
            seen: what ``Ports.read`` returned.
            ready: whether tready was high.
        """
        valid, payload, waited = seen[1] == "1", seen[self._from :], self.waited
        self.waited = payload if valid and not ready else None
        if waited is None:
            return ""
        if not valid:
            return "dropped"
        return "unstable" if payload != waited else ""
