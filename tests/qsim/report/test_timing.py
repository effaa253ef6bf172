"""Compiling kernels is not a part of how long a run took."""

from __future__ import annotations

import time

import pytest

from hw_models.compiled import Event, observer
from qsim.report import Timing


def test_what_kernels_took_is_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    timing = Timing()
    for _ in range(2):
        with timing.measure():
            now[0] += 7
            observer.tell(Event("kernel", "()", "compiled", 5.0))
            now[0] += 0.5
            observer.tell(Event("other", "()", "loaded", 0.25))
    assert (timing.seconds, timing.compiling_seconds) == (4.5, 10.5)
