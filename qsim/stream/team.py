"""Threads that execute one stream together."""

from __future__ import annotations

import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Members of a team wait for each other, so two teams must not share workers.
_BUSY: Final = threading.Lock()


@functools.cache
def _workers(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="qsim-stream")


def run_together(turn: Callable[[int, int], None], threads: int) -> None:
    """Call ``turn(thread, threads)`` on every thread of a team at once, and wait for all.

    While another team is at work, a stream runs on the caller's thread alone: the result does not
    depend on it.
    """
    if threads == 1 or not _BUSY.acquire(blocking=False):
        turn(0, 1)
        return
    try:
        pool = _workers(threads - 1)
        others = [pool.submit(turn, thread, threads) for thread in range(1, threads)]
        turn(0, threads)
        for other in others:
            other.result()
    finally:
        _BUSY.release()
