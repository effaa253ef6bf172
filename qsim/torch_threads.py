"""Torch's threads, where float arithmetic decides integers.

How torch splits a float sum depends on its number of threads, and with it the last bits: of a
calibration, hence of scales, hence of every code after. One thread makes them a function of the
data alone.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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
