"""A tally counts each moment once, whatever is compiled within what."""

from __future__ import annotations

import pytest

from hw_models.compiled import Event, Tally, observer, tally


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Now, in a list of one; it moves when a test moves it."""
    now = [100.0]
    monkeypatch.setattr(observer.time, "perf_counter", lambda: now[0])
    return now


def compiled(name: str, seconds: float, state: observer.State = "compiled") -> Event:
    return Event(name, "()", state, seconds)


def test_what_a_kernel_calls_is_part_of_it(clock: list[float]) -> None:
    counted = Tally()
    counted.add(compiled("outer", 0.0, "compiling"))
    clock[0] += 3
    counted.add(compiled("inner", 2.0))
    clock[0] += 4
    counted.add(compiled("second", 1.0))
    assert counted.seconds == 3.0
    clock[0] += 1
    counted.add(compiled("outer", 8.0))
    assert counted.seconds == 8.0


def test_kernels_after_each_other_add_up(clock: list[float]) -> None:
    counted = Tally()
    counted.add(compiled("first", 2.0))
    clock[0] += 10
    counted.add(compiled("second", 0.5, "loaded"))
    assert counted.seconds == 2.5


def test_one_that_the_compiler_gave_up_counts_as_little_as_it_said(clock: list[float]) -> None:
    counted = Tally()
    counted.add(compiled("given up", 0.0, "compiling"))
    clock[0] += 5
    counted.add(compiled("next", 0.0, "compiling"))
    clock[0] += 1
    counted.add(compiled("next", 1.0))
    assert counted.seconds == 1.0


def test_only_while_the_block_runs(clock: list[float]) -> None:
    with tally() as counted:
        observer.tell(compiled("inside", 1.5))
    clock[0] += 10
    observer.tell(compiled("outside", 2.0))
    assert counted.seconds == 1.5
    assert not observer.observed()
