"""The command streams of a Program, one for each batch size that was asked for."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from hw_models._team import count, run_together
from qsim.stream.constants import Constants
from qsim.stream.source import Source
from qsim.stream.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.program import Array, ProgramData

_KEPT: Final = 4
# Bytes of an arena that stays near the core.
_CACHE: Final = 1 << 20
# Those of this process, for its children.
_all: weakref.WeakSet[Streams] = weakref.WeakSet()


class Streams:
    """Compiles streams when they are first needed; they share packed weights.

    Attributes:
        program: whose streams they are.
    """

    def __init__(self, program: ProgramData, compute: Callable[[int, list[Array]], Array]) -> None:
        self.program = program
        self._compute = compute
        self._constants = Constants()
        self._kept: dict[Any, Any] = {}
        self._streams: dict[int, Stream] = {}
        self._lock = threading.Lock()
        _all.add(self)

    def forget(self) -> None:
        """Drop what another thread was compiling in the process that this one was forked from."""
        if self._lock.locked():
            self._lock = threading.Lock()
            self._constants = Constants()
            self._kept = {}
            self._streams = {}

    def get(self, batch: int) -> Stream:
        """Return the stream for a batch size, 1 or more."""
        known = self._streams.get(batch)
        if known is not None:
            return known
        with self._lock:
            stream = self._streams.get(batch)
            if stream is None:
                source = Source(self.program, batch, self._constants, self._kept)
                stream = Stream(source, self._compute)
                if len(self._streams) >= _KEPT:
                    self._streams.pop(next(iter(self._streams)))
                self._streams[batch] = stream
            return stream

    def run(self, arrays: Sequence[Array], batch: int, threads: int | None) -> tuple[Array, ...]:
        """Compute the outputs for arrays that are known to fit the Program's inputs."""
        part = self._part(batch)
        stream = self.get(part)
        if part == batch and stream.short:
            return stream.answer(arrays)
        if threads is None:
            threads = count() if part != batch or stream.parallel else 1
        taken, made = stream.taken(arrays), stream.outputs(batch)
        if part == batch:
            stream.run(taken, made, threads)
            return made
        whole = batch // part
        numbers = iter(range(whole))  # taken by whoever is free; next() is atomic

        def turn(_thread: int, together: int) -> None:
            for number in numbers:
                cut = slice(number * part, (number + 1) * part)
                stream.run([a[cut] for a in taken], [y[cut] for y in made], threads // together)

        run_together(turn, min(threads, whole) if whole >= threads else 1)
        if whole * part < batch:
            rest = slice(whole * part, batch)
            last = self.get(batch - whole * part)
            last.run([a[rest] for a in taken], [y[rest] for y in made], threads)
        return made

    def _part(self, batch: int) -> int:
        """Return how many samples run together: as many as a cache holds the tensors of."""
        if batch == 1:
            return 1
        first = self.get(1)
        if not first.splits:
            return batch
        fitting = max(1, _CACHE // first.compiled.plan.size)
        return batch if fitting >= batch else 1 << (fitting.bit_length() - 1)


def _after_fork() -> None:
    for streams in list(_all):
        streams.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
