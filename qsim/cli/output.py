"""Where a command writes: text or one JSON object to stdout, progress to a terminal's stderr."""

from __future__ import annotations

import ctypes
import io
import json
import os
import shutil
import sys
import warnings
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

WIDTH: Final = 100
_STDOUT: Final = 1
_STDERR: Final = 2


class Output:
    """One command's output.

    Args:
        as_json: with it, nothing but the object of :meth:`json` reaches stdout.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def text(self, *parts: RenderableType) -> None:
        """Print parts, unless this is a JSON command."""
        if not self.as_json:
            write(render(*parts, terminal=sys.stdout.isatty()))

    def json(self, value: object) -> None:
        """Print the one JSON object, if this is a JSON command."""
        if self.as_json:
            write(json.dumps(value, allow_nan=False, indent=2) + "\n")

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show a progress bar while the block runs; give the function that advances it.

        It is drawn on stderr, only when that is a terminal, and vanishes at the end. Kernels that
        are compiled meanwhile have a line of their own.
        """
        if not sys.stderr.isatty():
            yield lambda _count: None
            return
        from qsim.cli.progress import bars

        with bars(title, total) as advance:
            yield advance


def quiet(output: Output) -> ExitStack:
    """Keep other libraries' warnings off stderr, and whatever they print off a JSON stdout."""
    stack = ExitStack()
    if os.environ.get("QSIM_DEBUG") != "1":
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", message="compiled kernels are not kept")
    if output.as_json:
        stack.enter_context(redirect_stdout(sys.stderr))
        stack.enter_context(_redirected())
    return stack


@contextmanager
def _redirected() -> Iterator[None]:
    """Send to stderr what C code and child processes of a user's code print on stdout."""
    with suppress(OSError, ValueError, AttributeError):  # None where there is none
        sys.__stdout__.flush()  # type: ignore[union-attr]
    kept = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    try:
        yield
    finally:
        with suppress(OSError, AttributeError):  # what C still holds, while it goes to stderr
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, _STDOUT)
        os.close(kept)


def write(text: str) -> None:
    """Write to stdout at once.

    Raises:
        ClosedPipeError, UsageError: as ``qsim.cli.streams`` tells them.
    """
    encoding = sys.stdout.encoding or "utf-8"
    safe = text.encode(encoding, "replace").decode(encoding)
    sys.stdout.write(safe)
    sys.stdout.flush()


def width(*, terminal: bool) -> int:
    """Return the columns to use: never more than ``WIDTH``, fewer on a narrow terminal."""
    return max(40, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns if terminal else WIDTH))


def render(*parts: RenderableType, terminal: bool, columns: int | None = None) -> str:
    """Return what rich prints for parts: coloured only on a terminal without ``NO_COLOR``."""
    from rich.console import Console

    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=terminal and os.environ.get("TERM", "") != "dumb",
        width=columns or width(terminal=terminal),
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part, markup=False)
    lines = (line.rstrip() for line in buffer.getvalue().splitlines())
    return "".join(f"{line}\n" for line in lines)
