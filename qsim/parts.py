"""Names of what is still being written, and the end of what a killed process left behind.

A part lies beside what it becomes, under a name that ends in ``.qsim-part``. Whoever writes it
holds a lock on it, which the system gives up when the process ends, however it ends. A part that
nobody holds was left by a killed process: the next one that makes a part in the same folder removes
it.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX: Final = ".qsim-part"
# Where a file system knows no locks, age decides; nothing is written for so long.
OLD_SECONDS: Final = 7 * 86400.0
_NAME: Final = re.compile(rf"\..*\.[0-9a-f]{{16}}{re.escape(SUFFIX)}", re.DOTALL)
_TRIES: Final = 100
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC


class Part(NamedTuple):
    """What is being written.

    Attributes:
        path: its name for now.
        handle: open while it is locked; of a file, to write it.
    """

    path: Path
    handle: int


@contextmanager
def part(folder: Path, name: str, *, is_folder: bool = False) -> Iterator[Part]:
    """Make a private file or folder to fill; what is left of it when the block ends is removed.

    Args:
        folder: where; parts that nobody writes any more are removed there.
        name: of what it becomes.
        is_folder: whether that is a folder.

    Raises:
        OSError: it cannot be made.
    """
    sweep(folder)
    made = _make(folder, name, is_folder=is_folder)
    try:
        yield made
    finally:
        _remove(made.path)
        os.close(made.handle)


def sweep(folder: Path) -> None:
    """Remove the parts in a folder whose processes were killed."""
    found: list[Path] = []
    with suppress(OSError), os.scandir(folder) as entries:
        found = [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name)]
    for path in found:
        with suppress(OSError):
            _sweep_one(path)


def _make(folder: Path, name: str, *, is_folder: bool) -> Part:
    short = os.fsdecode(os.fsencode(name)[:64])
    for _ in range(_TRIES):
        path = folder / f".{short}.{secrets.token_hex(8)}{SUFFIX}"
        try:
            if is_folder:
                path.mkdir(mode=0o700)
                handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
            else:
                handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        except FileExistsError:
            continue
        except FileNotFoundError:
            if not folder.is_dir():
                raise
            continue  # swept before it was opened
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if _is_there(path, handle):
            return Part(path, handle)
        os.close(handle)  # swept before it was locked
    raise FileExistsError(f"{_TRIES} names are taken")


def _is_there(path: Path, handle: int) -> bool:
    try:
        named, held = path.lstat(), os.fstat(handle)
    except FileNotFoundError:
        return False
    return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)


def _sweep_one(path: Path) -> None:
    found = path.lstat()
    plain = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    if not plain or found.st_uid != os.geteuid():
        return
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _FLAGS)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:
            if time.time() - found.st_mtime < OLD_SECONDS:
                return
        if _is_there(path, handle):
            _remove(path)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError:  # a folder
        shutil.rmtree(path, ignore_errors=True)
