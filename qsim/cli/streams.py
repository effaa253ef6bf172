"""stdout and stderr while a command runs: open, and what they refuse told in one way.

Python tells a write that failed as an OSError where it happens to be flushed, flushes once more at
exit, and ends with status 1 or 120; other packages end with status 1, which here means a
difference. Both streams are ``None`` where the caller closed them, and the next file that is opened
gets their number.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import UsageError, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

_STANDARD: Final = 3


class ClosedPipeError(Exception):
    """The reader of stdout went away."""


class _Guard:
    """A stream that goes nowhere once it has failed."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.lost = False

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text))
        except OSError as error:
            self._fail(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._fail(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _fail(self, error: OSError) -> None:
        # What is still written, and what Python flushes at exit, must not fail again.
        del error
        self.lost = True
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


class _Stdout(_Guard):
    """stdout, whose errors are a ClosedPipeError or a UsageError; stderr has nobody to tell."""

    def _fail(self, error: OSError) -> None:
        super()._fail(error)
        if isinstance(error, BrokenPipeError):
            raise ClosedPipeError from None
        raise UsageError(
            f"cannot be written: {refusal(error)}",
            where="stdout",
            accepted="a stdout that takes the whole output",
        ) from None


@contextmanager
def guarded() -> Iterator[None]:
    """Put guards before stdout and stderr while the block runs."""
    _occupy()
    stdout, stderr = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - it is no path
        out: Any = _Stdout(stdout or nowhere)
        out.lost = stdout is None
        err: Any = _Guard(stderr or nowhere)
        sys.stdout, sys.stderr = out, err
        try:
            yield
        finally:
            err.flush()
            sys.stdout, sys.stderr = stdout, stderr


def lost() -> bool:
    """Return whether nothing can be written to stdout any more, or could from the beginning."""
    return bool(getattr(sys.stdout, "lost", False))


def require_open() -> None:
    """Refuse to begin where the caller closed stdout.

    Raises:
        UsageError: it did.
    """
    if lost():
        raise UsageError("is closed", where="stdout", accepted="an open stdout, or /dev/null")


def _occupy() -> None:
    """Let no file that is opened later, here or in a child, become stdin, stdout or stderr."""
    while (null := os.open(os.devnull, os.O_RDWR)) < _STANDARD:
        os.set_inheritable(null, True)
    os.close(null)
