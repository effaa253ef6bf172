"""Threads that work on one computation together.

They are Python's own, and the compiled functions that they call give up the interpreter's lock.
Numba's threads (``prange``) are not used: its OpenMP layer ends a forked child that computes, and
its workqueue layer ends a process in which two threads compute at once.

A forked child has none of its parent's threads: it starts its own when they are first needed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Members of a team wait for each other, so two teams must not share workers.
_busy = threading.Lock()


def count() -> int:
    """Return how many threads to use: as many as ``numba.set_num_threads`` was told here."""
    import numba

    return int(numba.get_num_threads())


def run_together(turn: Callable[[int, int], None], threads: int) -> None:
    """Call ``turn(thread, threads)`` on every thread of a team at once, and wait for all.

    The team is smaller than asked for where the system starts no more threads, and the caller's
    thread alone while another team is at work: what is computed must not depend on it.
    """
    busy = _busy
    if threads <= 1 or not busy.acquire(blocking=False):
        turn(0, 1)
        return
    try:
        _run(turn, threads)
    finally:
        busy.release()


def share(parts: int, threads: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(first, last)`` for ranges that make up 0..parts, one on each thread of a team."""

    def turn(thread: int, together: int) -> None:
        work(parts * thread // together, parts * (thread + 1) // together)

    run_together(turn, min(threads, parts))


class _Member:
    """A thread that takes one turn after another, told by locks: a pool's queue takes longer."""

    def __init__(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: the system starts no more threads.
        """
        self._begun = threading.Lock()
        self._begun.acquire()
        self._task: Callable[[], None] | None = None
        # At the interpreter's end it is waiting, or computing what nobody waits for.
        threading.Thread(target=self._serve, name="qsim", daemon=True).start()

    def begin(self, task: Callable[[], None]) -> None:
        """Have a task done that raises nothing."""
        self._task = task
        self._begun.release()

    def _serve(self) -> None:
        while True:
            self._begun.acquire()
            task, self._task = self._task, None
            if task is not None:
                task()
            del task  # with the caller's arrays


class _Turns:
    """The turns of the members of a team in one computation."""

    def __init__(self, turn: Callable[[int, int], None]) -> None:
        self._turn = turn
        self._together = 0
        self._gate = threading.Lock()  # open when it is known how many there are
        self._gate.acquire()
        self._ends: list[threading.Lock] = []
        self._errors: list[BaseException] = []

    def enlist(self, member: _Member) -> None:
        """Have a member wait for its turn."""
        thread, end = len(self._ends) + 1, threading.Lock()
        end.acquire()

        def task() -> None:
            try:
                with self._gate:
                    pass
                if self._together:
                    self._turn(thread, self._together)
            except BaseException as error:
                self._errors.append(error)
            finally:
                end.release()

        member.begin(task)
        self._ends.append(end)

    def take(self, together: int) -> None:
        """Let all take their turns, or none if ``together`` is 0; take the caller's own."""
        self._together = together
        self._gate.release()
        try:
            if together:
                self._turn(0, together)
        finally:
            for end in self._ends:
                self._wait(end)
        if self._errors:
            raise self._errors[0]

    def _wait(self, end: threading.Lock) -> None:
        """Wait for a member, also through an interrupt: it uses the caller's arrays."""
        while end.locked():
            try:
                with end:
                    pass
            except KeyboardInterrupt as error:
                self._errors.append(error)


def _run(turn: Callable[[int, int], None], threads: int) -> None:
    if not threading.main_thread().is_alive():  # the interpreter is shutting down
        turn(0, 1)
        return
    members, turns = _members(threads - 1), _Turns(turn)
    together = 0
    try:
        for member in members:
            turns.enlist(member)
        together = 1 + len(members)
    except KeyboardInterrupt:
        _members.cache_clear()  # one may have been begun that nobody waits for
        raise
    finally:
        turns.take(together)


@functools.cache
def _members(count: int) -> tuple[_Member, ...]:
    """Return so many members, or as many as the system lets start."""
    made: list[_Member] = []
    with contextlib.suppress(RuntimeError):  # can't start new thread
        for _ in range(count):
            made.append(_Member())  # noqa: PERF401 - what was started counts
    return tuple(made)


def _forget() -> None:
    global _busy
    _busy = threading.Lock()
    _members.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
