"""The folder of compiled kernels: private, bounded, one folder in it for each module and key.

Numba unpickles these files and runs what they hold: nobody else may write them.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# All that the tests of hw_models compile takes 10 MB. Several keys: branches, virtual environments,
# machines that share a home.
MOST_BYTES: Final = 512 << 20
MOST_KEYS: Final = 8  # of one module
# A kernel is written in milliseconds: what is older was left by a killed process.
WRITING_SECONDS: Final = 600.0
_NAME: Final = re.compile(r"[\w.]+-[0-9a-f]{32}")
_warned = False


class KernelsNotKeptWarning(UserWarning):
    """Compiled kernels cannot be kept: every process compiles them again."""


class Contents(NamedTuple):
    """What the folder holds.

    Attributes:
        kernels: compiled kernels, one for each signature.
        bytes: of all files.
    """

    kernels: int
    bytes: int


class _Entry(NamedTuple):
    used: int  # nanoseconds
    bytes: int
    kernels: int
    path: Path


def place() -> Path:
    """Return where kernels are kept, whether it is there or not.

    Raises:
        RuntimeError: there is no home.
    """
    configured = os.environ.get("NUMBA_CACHE_DIR")
    if configured:
        return Path(configured).absolute() / "qsim-kernels"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification has relative values ignored.
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "qsim" / "kernels"


def refusal(folder: Path) -> str | None:
    """Return why a folder that exists is not used, None if it is private."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return "it is no folder"
    if os.name != "posix":
        return None
    if found.st_uid != os.getuid():
        return "it belongs to somebody else"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others can write in it"
    return None


def find(module: str, key: str) -> Path | None:
    """Return the folder of a module's kernels, which may not be there; None: nothing is kept."""
    try:
        root = place()
    except RuntimeError as error:
        warn("the home folder", str(error))
        return None
    if not _usable(root):
        return None
    folder = root / f"{module}-{key}"
    _touch(folder)
    return folder


def make(folder: Path) -> None:
    """Make the folder of a module's kernels if it is not there, and room for it.

    Raises:
        OSError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    prune(folder.parent, keep=folder)


def prune(root: Path, keep: Path | None = None) -> None:
    """Delete the keys of a module that were not used for long, then the oldest until all fits.

    A process that still uses one goes on with what it has loaded.
    """
    total, keys = 0, dict[str, int]()
    for entry in sorted(_entries(root), reverse=True):
        module = entry.path.name.rpartition("-")[0]
        keys[module] = keys.get(module, 0) + 1
        total += entry.bytes
        if (keys[module] > MOST_KEYS or total > MOST_BYTES) and entry.path != keep:
            total -= entry.bytes
            shutil.rmtree(entry.path, ignore_errors=True)


def contents(root: Path) -> Contents:
    """Count the kernels in the folder."""
    entries = list(_entries(root))
    return Contents(sum(e.kernels for e in entries), sum(e.bytes for e in entries))


def clear(root: Path) -> Contents:
    """Delete all kernels in the folder, and nothing else; return what there was.

    Raises:
        OSError: one cannot be deleted.
    """
    found = contents(root)
    for entry in _entries(root):
        with suppress(FileNotFoundError):  # another process deletes it as well
            shutil.rmtree(entry.path)
    return found


def warn_error(where: Path, error: OSError) -> None:
    """Tell, once in a process, that nothing is kept because of an error."""
    warn(str(where), (error.strerror or "it cannot be written").lower())


def warn(where: str, reason: str) -> None:
    """Tell, once in a process, that nothing is kept."""
    global _warned
    if _warned:
        return
    _warned = True
    warnings.warn(
        f"compiled kernels are not kept, every start compiles them again: {where}: {reason}; "
        "qsim doctor tells what helps",
        KernelsNotKeptWarning,
        stacklevel=2,
    )


@cache
def _usable(root: Path) -> bool:
    """Make the folder private if it is the user's own; tell, once, if it cannot be used."""
    try:
        root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        warn_error(root, error)
        return False
    reason = refusal(root)
    if reason is not None:
        warn(str(root), reason)
        return False
    if os.name == "posix" and root.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        with suppress(OSError):
            root.chmod(0o700)
    return True


@cache
def _touch(folder: Path) -> None:
    with suppress(OSError):  # it is not there yet, or read-only
        os.utime(folder)
        for path in folder.glob("*.tmp.*"):  # Numba's name of what it is writing
            if time.time() - path.lstat().st_mtime > WRITING_SECONDS:
                path.unlink()


def _entries(root: Path) -> Iterator[_Entry]:
    with suppress(OSError):  # there is none yet
        for folder in list(root.iterdir()):
            with suppress(OSError):  # another process deletes it meanwhile
                if _NAME.fullmatch(folder.name) and not folder.is_symlink():
                    files = [(path, path.stat().st_size) for path in folder.iterdir()]
                    kernels = sum(path.suffix == ".nbc" for path, _ in files)
                    size = sum(size for _, size in files)
                    yield _Entry(folder.stat().st_mtime_ns, size, kernels, folder)
