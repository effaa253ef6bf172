"""Teams of threads: all work, none waits for a thread that never came, children have their own."""

from __future__ import annotations

import _thread
import gc
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from hw_models import _team
from tests import fresh


@pytest.fixture
def new() -> Iterator[None]:
    """No threads of earlier tests, and none left for later ones."""
    _team._members.cache_clear()
    yield
    _team._members.cache_clear()


def turns(threads: int) -> list[tuple[int, int]]:
    """Return the turns of a team whose members wait for each other, as a stream's do."""
    taken: list[tuple[int, int]] = []
    arrived: dict[int, threading.Barrier] = {}
    lock = threading.Lock()

    def turn(thread: int, together: int) -> None:
        with lock:
            barrier = arrived.setdefault(together, threading.Barrier(together))
        barrier.wait(20)
        taken.append((thread, together))

    _team.run_together(turn, threads)
    return sorted(taken)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_thread_has_its_turn(threads: int) -> None:
    for _ in range(20):
        assert turns(threads) == [(thread, threads) for thread in range(threads)]


def test_a_team_within_a_team_is_the_thread_alone() -> None:
    seen: list[list[tuple[int, int]]] = []
    _team.run_together(lambda _thread, _together: seen.append(turns(3)), 2)
    assert seen == [[(0, 1)], [(0, 1)]]


@pytest.mark.usefixtures("new")
@pytest.mark.parametrize("room", [0, 2])
def test_where_the_system_starts_no_more_threads(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()

    def refuse(thread: threading.Thread) -> None:
        if sum(each.is_alive() for each in started) >= room:
            raise RuntimeError("can't start new thread")
        start(thread)
        started.append(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert turns(6) == [(thread, 1 + room) for thread in range(1 + room)]


def test_an_error_of_any_member_is_raised_when_all_have_ended() -> None:
    ended: list[int] = []

    def turn(thread: int, _together: int) -> None:
        if thread == 1:
            raise ValueError("no command has this number")
        ended.append(thread)

    with pytest.raises(ValueError, match="no command"):
        _team.run_together(turn, 3)
    assert sorted(ended) == [0, 2]
    assert turns(3) == [(0, 3), (1, 3), (2, 3)]


@pytest.fixture
def alone() -> Iterator[None]:
    """No other team is at work, and no callback of the collector runs, in which errors are lost.

    An interrupt is raised, also where a shell started the tests in the background: Python is deaf
    to it then.
    """
    assert _team._busy.acquire(timeout=60)
    _team._busy.release()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()
    yield
    gc.enable()
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("new", "alone")
def test_an_interrupt_is_raised_when_all_have_ended() -> None:
    for _ in range(3):
        ended: list[int] = []

        def turn(thread: int, _together: int, ended: list[int] = ended) -> None:
            if thread:
                _thread.interrupt_main()
                time.sleep(0.02)
                ended.append(thread)

        with pytest.raises(KeyboardInterrupt):
            _team.run_together(turn, 2)
        assert ended == [1]
        assert turns(2) == [(0, 2), (1, 2)]


@pytest.mark.parametrize(("parts", "threads"), [(0, 2), (1, 4), (7, 3), (5, 1)])
def test_shares_make_up_the_whole(parts: int, threads: int) -> None:
    seen: list[int] = []
    _team.share(parts, threads, lambda first, last: seen.extend(range(first, last)))
    assert sorted(seen) == list(range(parts))


_CHILD = """
import os, threading
from hw_models import _team

taken = []
turn = lambda thread, together: taken.append((thread, together))
_team.run_together(turn, 3)
_team._busy.acquire()  # another thread of the parent is at work
child = os.fork()
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    taken.clear()
    _team.run_together(turn, 3)
    os._exit(0 if sorted(taken) == [(0, 3), (1, 3), (2, 3)] else 1)
"""

_AT_EXIT = """
import atexit
from hw_models import _team

turn = lambda thread, together: print(thread, together)
atexit.register(_team.run_together, turn, 3)
if {started}:
    _team.run_together(lambda thread, together: None, 3)
"""


def test_a_forked_child_has_threads_of_its_own() -> None:
    assert fresh.run(_CHILD).stdout == "0\n"


@pytest.mark.parametrize("started", [False, True])
def test_when_the_interpreter_ends_the_thread_works_alone(started: bool) -> None:
    assert fresh.run(_AT_EXIT.format(started=started)).stdout == "0 1\n"


_COMPILING = """
import os, threading, time
import numba
from hw_models.compiled import observe, part

slow = part(lambda x: x + 1)
begun = threading.Event()


def compile_it():
    with numba.core.compiler_lock.global_compiler_lock:
        begun.set()
        time.sleep(0.5)


thread = threading.Thread(target=compile_it)
thread.start()
begun.wait()
child = os.fork()
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    thread.join()
else:
    os._exit(slow(1) - 2)
"""


def test_a_fork_waits_until_no_thread_compiles() -> None:
    assert fresh.run(_COMPILING).stdout == "0\n"
