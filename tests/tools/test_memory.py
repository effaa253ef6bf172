"""The plugin that keeps workers small."""

from __future__ import annotations

import sys
import weakref
from functools import cache, lru_cache

import pytest

from tests.memory import collect, forget, resident


class Circle:
    def __init__(self) -> None:
        self.itself = self


@cache
def kept() -> Circle:
    return Circle()


@lru_cache(maxsize=1)
def kept_too(number: int) -> Circle:
    return Circle()


def test_what_a_module_cached_goes() -> None:
    circles = [weakref.ref(kept()), weakref.ref(kept_too(1))]
    collect()
    assert all(circle() is not None for circle in circles)
    forget(sys.modules[__name__])
    collect()
    assert all(circle() is None for circle in circles)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing tells")
def test_memory_is_told() -> None:
    before = resident()
    held = b"\1" * (64 << 20)
    assert resident() > before + (60 << 20)
    assert len(held) == 64 << 20
