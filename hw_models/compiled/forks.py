"""A fork waits until no thread compiles.

A child has one thread, and a copy of every lock. Born while another thread compiles, it would wait
for the compiler's lock for ever, and LLVM would be left amid its work.
"""

from __future__ import annotations

import os

from numba.core.compiler_lock import global_compiler_lock

_held = False


def _hold() -> None:
    global _held
    global_compiler_lock.acquire()
    _held = True


def _release() -> None:
    # A server that forks in C tells Python of the child only.
    global _held
    if _held:
        _held = False
        global_compiler_lock.release()


def register() -> None:
    """Have every fork of this process wait."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_release)
