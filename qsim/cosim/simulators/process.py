"""Child processes that leave nothing behind: each is a group of its own, ended as a whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_LOG_BYTES: Final = 1 << 22  # of a program's output that are read


class CancelledError(Exception):
    """Nothing more is started: what runs side by side has failed or was interrupted."""


@dataclass
class _Group:
    """Processes that are ended together."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    ended: bool = False

    def end(self) -> None:
        with self.lock:
            self.ended = True
            for process in self.running:
                _kill(process)


_thread = threading.local()  # .group: of the thread's processes


def processors() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def side_by_side(
    function: Callable[[_Item], _Result], items: Iterable[_Item], workers: int
) -> Iterator[_Result]:
    """Yield the results of a function that runs processes, in the order of items.

    When one fails, or the caller is interrupted, the processes of all are ended at once.
    """
    group = _Group()

    def call(item: _Item) -> _Result:
        _thread.group = group
        try:
            return function(item)
        except BaseException:
            group.end()
            raise

    with ThreadPoolExecutor(max(1, workers)) as pool:
        futures = [pool.submit(call, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        except BaseException as error:
            group.end()
            pool.shutdown(cancel_futures=True)
            cause = _cause(error, futures)
            raise cause from None


def _cause(error: BaseException, futures: Sequence[Future[_Result]]) -> BaseException:
    """Return the error that ended the others, where one of them was waited for."""
    ended = (future.exception() for future in futures if not future.cancelled())
    causes = (each for each in ended if each and not isinstance(each, CancelledError))
    return next(causes, error) if isinstance(error, CancelledError) else error


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended.

    Attributes:
        status: exit status, or minus the signal that ended it.
        timed_out: it was killed because its time was over.
        text: what it printed on stdout and stderr, the beginning if that is very long.
    """

    status: int
    timed_out: bool
    text: str

    @property
    def how(self) -> str:
        """The end in words."""
        if self.timed_out:
            return "took too long and was killed"
        if self.status < 0:
            try:
                name = signal.Signals(-self.status).name
            except ValueError:
                name = str(-self.status)
            return f"was killed by {name}"
        return f"ended with status {self.status}"


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: Path,
    timeout: float,
) -> Finished:
    """Run a program to its end; whatever ends this call ends the program and its children.

    Args:
        command: the program and its arguments.
        cwd: its working directory.
        environment: all of its variables.
        log: a file for its stdout and stderr.
        timeout: seconds.

    Raises:
        OSError: the program cannot be started.
        CancelledError: another one of those side by side has failed.
    """
    group: _Group = getattr(_thread, "group", None) or _Group()
    with log.open("wb") as sink:
        with group.lock:
            if group.ended:
                raise CancelledError
            process = subprocess.Popen(  # noqa: S603  an argument list, never a shell string
                [*_dies_with_parent(), *map(str, command)],
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            group.running.add(process)
        timed_out = False
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            with group.lock:
                _kill(process)
                group.running.discard(process)
            process.wait()
    if group.ended:
        raise CancelledError
    with log.open("rb") as source:
        text = source.read(_LOG_BYTES).decode("utf-8", "replace")
    return Finished(process.returncode, timed_out, text)


def last_words(text: str) -> str:
    """Return the last line of a program's output, as the end of a message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"; it said: {lines[-1][:200]}" if lines else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process group."""
    # It outlives its leader while a child does; without one the signal finds nobody.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _dies_with_parent() -> tuple[str, ...]:
    """Return the words that end a program when this process is killed outright (Linux)."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()
