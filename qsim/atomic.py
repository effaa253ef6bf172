"""Files and directories that appear whole or not at all.

Everything is written under a temporary name beside its destination (``qsim.parts``) and renamed at
the end, so an error, a full disk, Ctrl-C or a kill leaves the destination as it was.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from qsim.errors import UsageError, refusal
from qsim.parts import part

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITABLE: Final = "a path in a writable directory"
# Room, a quota or the size of a file is used up.
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def refused(path: str | os.PathLike[str], accepted: str = "") -> Iterator[None]:
    """Tell what the operating system refuses to write as a UsageError."""
    try:
        yield
    except OSError as error:
        helps = "a disk with room" if error.errno in FULL else accepted
        raise UsageError(
            f"cannot be written: {refusal(error)}", where=str(path), accepted=helps
        ) from None


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write data to path, replacing a file that is there.

    Raises:
        UsageError: the directory does not exist or is not writable, or path is a directory.
    """
    with refused(path, _WRITABLE), _file(Path(path)) as file:
        file.write(data)


def copy(source: Path, path: str | os.PathLike[str]) -> None:
    """Copy a file to path, replacing a file that is there; errors as those of a write."""
    with source.open("rb") as read, refused(path, _WRITABLE), _file(Path(path)) as file:
        shutil.copyfileobj(read, file)


@contextmanager
def _file(destination: Path) -> Iterator[BinaryIO]:
    if destination.exists() and not (destination.is_file() or destination.is_dir()):
        # A file would take the place of /dev/null.
        raise UsageError("is no regular file", where=str(destination), accepted="a file name")
    with part(destination.parent, destination.name) as made:
        # A file of its own: closing it tells the last errors, while the part stays locked.
        with os.fdopen(os.dup(made.handle), "wb") as file:
            yield file
        # Parts are private; the result gets the permissions of any other new file.
        os.fchmod(made.handle, 0o666 & ~_umask())
        made.path.replace(destination)


@contextmanager
def directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary directory to fill; it becomes path when the block ends without an error.

    What the block writes, it writes within ``refused(path)``.

    Raises:
        UsageError: path exists and is not an empty directory, or its parent is not writable.
    """
    destination = Path(path)
    check_fresh(destination)
    with _folder(destination.parent, destination) as temporary:
        yield temporary
        with refused(destination, _WRITABLE):
            temporary.chmod(0o777 & ~_umask())
            temporary.replace(destination)


@contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """Give a temporary directory to fill; it takes the place of the directory ``path`` at the end.

    The old one goes when the new one is in its place. A kill leaves either, or, where the system
    cannot exchange two names in one step, the old one aside: :func:`put_back` finds it there.

    Raises:
        UsageError: its parent is not writable.
    """
    with _folder(path.parent, path) as temporary:
        yield temporary
        with refused(path, _WRITABLE):
            temporary.chmod(0o777 & ~_umask())
            if not _exchange(temporary, path):
                old = _aside(path)
                path.rename(old)
                try:
                    temporary.rename(path)
                except BaseException:
                    old.rename(path)
                    raise
                shutil.rmtree(old, ignore_errors=True)


def put_back(path: Path) -> None:
    """Undo what a process left that was killed while it replaced the directory ``path``."""
    old = _aside(path)
    with suppress(OSError):
        if old.is_dir() and not old.is_symlink() and old.lstat().st_uid == os.geteuid():
            if os.path.lexists(path):
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(path)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.qsim-old")


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; return whether the system could (most of Linux's can)."""
    import ctypes

    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    names = (os.fsencode(one), os.fsencode(other))
    return bool(function(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


@contextmanager
def scratch(purpose: str, folder: Path | None = None) -> Iterator[Path]:
    """Give a private folder that is gone when the block ends, or when the next one is made.

    Args:
        purpose: a word of its name.
        folder: where; the system's folder for temporary files by default.

    Raises:
        UsageError: it cannot be made.
    """
    place = Path(tempfile.gettempdir()) if folder is None else folder
    with _folder(place, place / f"qsim-{purpose}") as made:
        yield made


@contextmanager
def _folder(place: Path, destination: Path) -> Iterator[Path]:
    with ExitStack() as stack:
        with refused(destination, _WRITABLE):
            made = stack.enter_context(part(place, destination.name, is_folder=True))
        yield made.path


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
