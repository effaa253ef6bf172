"""Files and directories that appear whole or not at all.

Everything is written under a temporary name beside its destination and renamed at the end, so an
error, a full disk or Ctrl-C leaves the destination as it was.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qsim.errors import UsageError, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITABLE: Final = "a path in a writable directory"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def refused(path: Path, accepted: str = "") -> Iterator[None]:
    """Tell what the operating system refuses to write as a UsageError."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"cannot be written: {refusal(error)}", where=str(path), accepted=accepted
        ) from None


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write data to path, replacing a file that is there.

    Raises:
        UsageError: the directory does not exist or is not writable, or path is a directory.
    """
    destination = Path(path)
    temporary: str | None = None
    try:
        with refused(destination, _WRITABLE):
            handle, temporary = tempfile.mkstemp(
                prefix=f".{destination.name[:64]}.", dir=destination.parent
            )
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            # mkstemp makes private files; the result gets the permissions of any other new file.
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(destination)
            temporary = None
    finally:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()


@contextmanager
def directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary directory to fill; it becomes path when the block ends without an error.

    Raises:
        UsageError: path exists and is not an empty directory, or its parent is not writable.
    """
    destination = Path(path)
    check_fresh(destination)
    with refused(destination, _WRITABLE):
        temporary = Path(
            tempfile.mkdtemp(prefix=f".{destination.name[:64]}.", dir=destination.parent)
        )
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        with refused(destination, _WRITABLE):
            temporary.replace(destination)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_fresh(path: str | os.PathLike[str]) -> None:
    """Refuse a destination directory that would have to be overwritten.

    Raises:
        UsageError: path exists and is not an empty directory.
    """
    destination = Path(path)
    occupied = destination.exists() or destination.is_symlink()
    if occupied and not (destination.is_dir() and not any(destination.iterdir())):
        raise UsageError(
            "the directory exists and is not empty",
            where=str(destination),
            accepted="a new name or an empty directory",
        )
