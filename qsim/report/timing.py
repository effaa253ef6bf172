"""How long something ran, apart from how long its kernels were compiled."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hw_models.compiled import tally

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Timing:
    """Wall time of all blocks that were timed.

    Attributes:
        seconds: without what kernels took.
        compiling_seconds: what they took to be compiled, or loaded from the disk.
    """

    seconds: float = 0.0
    compiling_seconds: float = 0.0

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Add the time of a block."""
        with tally() as kernels:
            start = time.perf_counter()
            yield
            elapsed = time.perf_counter() - start
        self.seconds += elapsed - kernels.seconds
        self.compiling_seconds += kernels.seconds
