"""Who wants to know that a kernel is compiled or loaded: for displays of progress."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

State = Literal["compiling", "compiled", "loaded"]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a kernel.

    Attributes:
        kernel: module and qualified name: ``hw_models.mean._divide_all``.
        signature: types of its arguments, as Numba writes them.
        state: ``compiling``: it begins; ``compiled``: it is done, and kept where it can be;
            ``loaded``: from the cache. What a kernel calls is compiled between the two of the
            kernel itself. Where the compiler raises, there is no ``compiled``.
        seconds: how long it took, with all that it calls; 0 where it begins.
    """

    kernel: str
    signature: str
    state: State
    seconds: float


@dataclass(slots=True)
class Tally:
    """How long kernels took to be compiled or loaded, each moment counted once."""

    _spans: list[tuple[float, float]] = field(default_factory=list)  # apart, in order

    @property
    def seconds(self) -> float:
        """The sum so far."""
        return sum(end - begin for begin, end in self._spans)

    def add(self, event: Event) -> None:
        """Count an event that happened just now, in place of those that it holds."""
        if event.state == "compiling":
            return
        end = time.perf_counter()
        begin = end - event.seconds
        while self._spans and self._spans[-1][0] >= begin:
            self._spans.pop()
        self._spans.append((begin, end))


@contextmanager
def tally() -> Iterator[Tally]:
    """Count how long kernels take to be compiled or loaded while the block runs."""
    counted = Tally()
    with observe(counted.add):
        yield counted


_lock = threading.Lock()
_observers: tuple[Callable[[Event], None], ...] = ()


@contextmanager
def observe(callback: Callable[[Event], None]) -> Iterator[None]:
    """Have every kernel's events of this process told while the block runs.

    Args:
        callback: is called in the thread that compiles, which holds Numba's lock meanwhile: it
            must be quick, call no kernel and raise nothing.
    """
    global _observers
    with _lock:
        _observers = (*_observers, callback)
    try:
        yield
    finally:
        with _lock:
            left = list(_observers)
            left.remove(callback)
            _observers = tuple(left)


def observed() -> bool:
    """Return whether anybody wants to know."""
    return bool(_observers)


def tell(event: Event) -> None:
    """Tell all who want to know."""
    for callback in _observers:
        callback(event)
