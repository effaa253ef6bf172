"""What a terminal shows while a command works: how far it is, and which kernel is compiled."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from hw_models.compiled import Event, observe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bars(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Draw a bar on stderr while the block runs; give the function that advances it.

    While kernels are compiled a second line says which one, and how many are done. How many are
    left nobody knows: which ones a network takes is decided call by call.

    Args:
        title: one word.
        total: how far it goes; None where that is not known.
    """
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=36),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total, note=_position(0, total))
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress.update(task, completed=done, note=_position(done, total))

        with observe(_Compiling(progress).show):
            yield advance


def _position(done: int, total: int | None) -> str:
    return "" if total is None else f"{done}/{total}"


class _Compiling:
    """The line of the kernels that are compiled; it is there only while some are."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("compiling", total=None, visible=False, note="")
        self._begun: list[str] = []
        self._done = 0

    def show(self, event: Event) -> None:
        """Show what happens to a kernel."""
        if event.state == "loaded":
            return
        if event.state == "compiling":
            self._begun.append(event.kernel)
        elif event.kernel in self._begun:
            self._done += 1
            # One that the compiler gave up has no end of its own: it ends with what calls it.
            while self._begun.pop() != event.kernel:
                pass
        shown = f"{self._begun[-1]}, {self._done} done" if self._begun else ""
        appears = event.state == "compiling" and len(self._begun) == 1
        self._progress.update(self._task, visible=bool(self._begun), note=shown, refresh=appears)
