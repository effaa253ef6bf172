"""Threads that work on one computation together.

They are Python's own, and the compiled functions that they call give up the interpreter's lock.
Numba's threads (``prange``) are not used: its OpenMP layer ends a forked child that computes, and
its workqueue layer ends a process in which two threads compute at once.

A forked child has none of its parent's threads: it starts its own when they are first needed.
"""

from __future__ import annotations

import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
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


def _run(turn: Callable[[int, int], None], threads: int) -> None:
    pool, workers = _workers(threads - 1)
    members, ready = 0, threading.Event()

    def enlisted(thread: int) -> None:
        ready.wait()
        if thread < members:
            turn(thread, members)

    others = []
    try:
        for thread in range(1, 1 + workers):
            others.append(pool.submit(enlisted, thread))  # noqa: PERF401 - what was begun counts
        members = threads = 1 + workers
    except RuntimeError:  # the interpreter is shutting down: no thread takes anything any more
        threads = 1
    finally:
        ready.set()
    try:
        turn(0, threads)
    finally:
        wait(others)  # they use the caller's arrays
    for other in others:
        other.result()


@functools.cache
def _workers(count: int) -> tuple[ThreadPoolExecutor, int]:
    """Return a pool whose threads have all been started, and how many the system let it have."""
    pool = ThreadPoolExecutor(max(count, 1), thread_name_prefix="qsim")
    started, ready = 0, threading.Event()
    try:
        for _ in range(count):
            pool.submit(ready.wait)
            started += 1
    except RuntimeError:  # can't start new thread
        pass
    finally:
        ready.set()
    if started == count:
        return pool, count
    pool.shutdown()
    return _workers(started)


def _forget() -> None:
    global _busy
    _busy = threading.Lock()
    _workers.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
