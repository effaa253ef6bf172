"""A plugin that keeps a worker small: it forgets what modules of tests cached, and collects.

The graphs of torch hold themselves in circles, some hundred megabytes a network, which Python finds
when many objects were made, not when they are large. What is there when the tests begin stays: it
is not looked through again with each collection.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from functools import _lru_cache_wrapper
from pathlib import Path

import pytest

STATUS = Path("/proc/self/statm")
GROWTH = 400 << 20  # bytes more than after the last collection
OBJECTS = 10_000  # made between two looks at the youngest ones: exporting a graph makes thousands


class Kept:
    """How much memory was left after the last collection."""

    def __init__(self) -> None:
        self.bytes = resident()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        collect()
        gc.freeze()
        gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
        self.bytes = resident()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        module = getattr(item, "module", None)
        if module is not None and module is not getattr(nextitem, "module", None):
            forget(module)
        if resident() > self.bytes + GROWTH:
            collect()
            self.bytes = resident()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Kept())


def forget(module: object) -> None:
    """Empty the caches of a module's own functions."""
    for value in vars(module).values():
        if isinstance(value, _lru_cache_wrapper) and value.__module__ == vars(module)["__name__"]:
            value.cache_clear()


def collect() -> None:
    """Collect circles, and give free memory back to the system."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
        if trim is not None:
            trim(0)


def resident() -> int:
    """Return the bytes of memory that this process has; 0 where nothing tells."""
    if not STATUS.exists():
        return 0
    return int(STATUS.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
