"""Python's search for cycles, paused while graphs are built.

A graph's nodes refer to one another, and none of them is garbage before the graph is: while tens of
thousands of objects are made, each search goes over all of them and finds nothing.
"""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Pause the search for cycles inside; on for the caller after, if it was on before."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
