"""Torch's threads, where float arithmetic decides integers, and in forked children.

How torch splits a float sum depends on its number of threads, and with it the last bits: of a
calibration, hence of scales, hence of every code after. One thread makes them a function of the
data alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_forked = False


@contextlib.contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch's operators on one thread inside, and on the caller's number after."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def use_one_when_forked() -> None:
    """Have torch use one thread in every child that is forked from this process from now on.

    With more, it waits for ever for threads that stayed with the parent. torch's own DataLoader
    does the same in its workers.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_use_one)


def require_one_when_forked() -> None:
    """Refuse to have torch compute with several threads in a forked child.

    Raises:
        UsageError: somebody set another number there.
    """
    if not _forked:
        return
    import torch

    threads = torch.get_num_threads()
    if threads > 1:
        raise UsageError.of(
            "torch must have one thread in a forked child: it would wait for its parent's for ever",
            threads,
            "torch.set_num_threads(1), or a process that is spawned",
        )


def _use_one() -> None:
    global _forked
    _forked = True
    # Amid torch's import there is a module without its functions.
    set_num_threads = getattr(sys.modules.get("torch"), "set_num_threads", None)
    if set_num_threads is not None:
        set_num_threads(1)
