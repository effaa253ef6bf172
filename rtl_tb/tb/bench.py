"""One run of a job: every cycle, what both ends of the design's streams do.

A cycle is a rising edge of the clock, counted from 0 at the first one with reset low. A reset
starts the stream and what is expected of it from the beginning; the checks are those of the bulk
bench.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from rtl_tb.tb.ports import READY, RST, VALID
from rtl_tb.tb.scoreboard import Scoreboard
from rtl_tb.tb.stream import Rules, Sink, Source

if TYPE_CHECKING:
    from collections.abc import Generator

    from rtl_tb.tb.job import Job, Stimulus
    from rtl_tb.tb.ports import Ports
    from rtl_tb.tb.scoreboard import Difference

_DRAIN: Final = 64  # cycles, or the longest pause, in which superfluous results may still come
_KNOWN: Final = frozenset({"00", "01", "10", "11"})
KINDS: Final = ("hang", "extra", "unstable", "dropped", "unknown", "reset", "last")


@dataclass
class Outcome:
    """What a run found.

    Attributes:
        cycles: up to the last result taken, this one included.
        beats_in, beats_out: of the whole run.
        outstanding: results that did not come.
        differing: results that were not as expected.
        differences: the first of them.
        problems: for each kind of broken rule, the cycle in which it was first seen, and how many
            cycles had passed without a beat.
        zero: time of cycle 0, in ns.
        window: events of the waves, in the format of ``stream_bulk_tb.sv``.
        events: how often each thing happened that coverage asks for.
    """

    cycles: int = 0
    beats_in: int = 0
    beats_out: int = 0
    outstanding: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    problems: dict[str, tuple[int, int]] = field(default_factory=dict)
    zero: int = 0
    window: list[str] = field(default_factory=list)
    events: dict[str, int] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether every result came, as expected, by the rules."""
        return not self.differing and not self.problems and not self.outstanding

    def problem(self, kind: str, cycle: int, idle: int) -> None:
        """Note a broken rule; only the first of a kind counts."""
        self.problems.setdefault(kind, (cycle, idle))

    def happened(self, event: str) -> None:
        """Count an event."""
        self.events[event] = self.events.get(event, 0) + 1


class Bench:
    """A job on the design's ports."""

    def __init__(
        self,
        ports: Ports,
        job: Job,
        stimulus: Stimulus,
        limit: int = 1 << 20,
        *,
        compare_last: bool = True,
        first_reset: int = 16,
    ) -> None:
        # A generator each: how one side stalls does not depend on what the other does.
        offers, takes = Random(stimulus.seed), Random(stimulus.seed ^ 0x5BD1E995)  # noqa: S311
        self._ports = ports
        self._job = job
        self._stimulus = stimulus
        self._source = Source(job.rows, ports.words, stimulus.stall_input, offers)
        self._sink = Sink(stimulus.stall_output, takes, wait_for_valid=stimulus.wait_for_valid)
        self._rules = Rules(compare_last=compare_last)
        self._board = Scoreboard(job.expected, limit, compare_last=compare_last)
        self._first_reset = first_reset
        self._resets = list(stimulus.resets)
        self._idle = 0
        self._longest = 0  # pause between two beats
        self._watched = False  # the window has begun
        self._driven = -1
        self._outcome = Outcome()

    async def run(self, window: tuple[int, int] | None = None) -> Outcome:
        """Play the job to its end.

        Args:
            window: first and last cycle of the waves; nothing is simulated after it.
        """
        gc.collect()
        gc.freeze()  # the beats are many, and stay: nothing is gained by looking at them again
        await self._ports.play(self._cycles(*(window or (-1, -1))))
        return self._finish()

    def _cycles(self, begin: int, end: int) -> Generator[None, None, None]:
        yield from self._reset(self._first_reset, 0)
        self._drive()
        read = self._ports.read
        cycle = 0
        if begin == 0:
            self._ports.dump()
        while True:
            yield
            if cycle == 0:
                self._outcome.zero = self._ports.time()
            if cycle == begin:
                self._watched = True
                self._outcome.window.append(f"C {cycle} {self._ports.time()}")
            going = self._cycle(read(), cycle)
            if cycle == begin - 1:  # what the first cycle finds has been there since then
                self._ports.dump()
            if not going or cycle == end:
                break
            if self._resets and self._resets[0] == cycle:
                cycle = yield from self._restart(cycle)
            self._drive()
            cycle += 1
        self._ports.control(RST)

    def _drive(self) -> None:
        """Set the inputs of the coming cycle."""
        self._source.offer()
        driven = (VALID if self._source.valid else 0) | (READY if self._sink.ready else 0)
        if driven != self._driven:
            self._driven = driven
            self._ports.control(driven)

    def _cycle(self, seen: str, cycle: int) -> bool:
        """Act on what a rising edge found; return whether there is more to do."""
        outcome, source, board = self._outcome, self._source, self._board
        ready = self._sink.ready
        if seen[:2] not in _KNOWN:
            outcome.problem("unknown", cycle, self._idle)
            return False
        self._idle += 1
        result = seen[1] == "1"
        if self._rules.waited is not None or (result and not ready):
            broken = self._rules.check(seen, ready=ready)
            if broken:
                outcome.problem(broken, cycle, self._idle)
        if source.valid:
            if seen[0] == "1":
                self._accept(cycle)
            else:
                outcome.happened("input_held")
        elif source.offered < len(self._job.rows):
            outcome.happened("input_paused")
        if result:
            if board.left <= 0:
                outcome.problem("extra", cycle, self._idle)
            if ready:
                self._take(seen[2:], cycle)
            else:
                outcome.happened("output_held")
        if not self._sink.always:
            self._sink.decide(waiting=result and not ready)
        # While beats move by the rules there is nothing to end.
        return (not self._idle and not outcome.problems) or self._goes_on(cycle)

    def _accept(self, cycle: int) -> None:
        if self._watched:
            self._outcome.window.append(f"A {cycle} {self._source.accepted}")
        self._source.accept()
        self._outcome.beats_in += 1
        self._moved()

    def _take(self, payload: str, cycle: int) -> None:
        if self._watched:
            self._outcome.window.append(f"T {cycle} {self._board.taken}")
        if self._board.left > 0:  # one that nobody expects is no progress: it could come for ever
            self._moved()
        self._board.take(payload, cycle)
        self._outcome.beats_out += 1
        self._outcome.cycles = cycle + 1

    def _moved(self) -> None:
        """Note that a beat was accepted or taken."""
        self._longest = max(self._longest, self._idle)
        self._idle = 0

    def _goes_on(self, cycle: int) -> bool:
        done = self._board.left <= 0 and self._source.accepted >= len(self._job.rows)
        if done and not self._resets:
            drain = max(_DRAIN, self._longest)
            return self._idle <= drain and "extra" not in self._outcome.problems
        patience = max(self._stimulus.idle_limit, self._stimulus.idle_factor * self._longest)
        if self._idle >= patience:
            self._outcome.problem("hang", cycle, self._idle)
            return False
        return True

    def _restart(self, cycle: int) -> Generator[None, None, int]:
        """Reset in mid-stream; return the last cycle of reset."""
        del self._resets[0]
        if self._source.accepted < 2:
            self._outcome.happened("reset_at_the_first_beat")
        elif self._source.accepted >= len(self._job.rows):
            self._outcome.happened("reset_at_the_last_beat")
        else:
            self._outcome.happened("reset_in_between")
        for part in (self._source, self._sink, self._rules, self._board):
            part.restart()
        self._idle = 0
        return (yield from self._reset(self._stimulus.reset_cycles, cycle))

    def _reset(self, cycles: int, cycle: int) -> Generator[None, None, int]:
        self._driven = RST
        self._ports.control(RST)
        for passed in range(cycles):
            yield
            cycle += 1
            # The first edge in reset is the one that it acts on.
            if passed and self._ports.read()[1] != "0":
                self._outcome.problem("reset", cycle, self._idle)
        return cycle

    def _finish(self) -> Outcome:
        outcome, board = self._outcome, self._board
        outcome.outstanding = max(board.left, 0)
        outcome.differing, outcome.differences = board.differing, board.differences
        return outcome
