"""Where builds are kept: a private folder, bounded in size and age, its entries whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qsim import files
from qsim.atomic import scratch, write_bytes
from qsim.errors import FileFormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

MANIFEST: Final = "build.json"
MOST_BYTES: Final = 2 << 30
MOST_SECONDS: Final = 30 * 86400.0
# Something younger may be in use, by this process or another.
LEAST_SECONDS: Final = 3600.0


def folder(name: str) -> Path:
    """Return a folder of the cache, made if it is not there.

    Raises:
        UsageError: it cannot be made, or others may write in it: programs are started from it.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification has relative values ignored.
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    place = root / "qsim" / name
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = place.stat()
    except OSError as error:
        raise UsageError(
            f"the cache cannot be made: {(error.strerror or 'unknown').lower()}",
            where=str(place),
            accepted="XDG_CACHE_HOME in a writable directory",
        ) from None
    if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(
            "the cache belongs to, or can be written by, somebody else",
            where=str(place),
            accepted="XDG_CACHE_HOME in a directory of your own",
        )
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(
            "the cache is not writable",
            where=str(place),
            accepted="XDG_CACHE_HOME in a writable directory",
        )
    return place


def contents(place: Path) -> tuple[str, ...]:
    """Return the names of a folder's files if all are as its manifest says, else none."""
    try:
        document: Any = json.loads((place / MANIFEST).read_bytes())
        names = tuple(map(str, document["files"]))
        whole = all(
            "/" not in name and digest(place / name)[1] == wanted
            for name, wanted in document["files"].items()
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, UsageError):
        return ()
    return names if whole else ()


def publish(temporary: Path, place: Path, names: Iterable[str]) -> None:
    """Name the files of a finished folder in its manifest, and put it in its place.

    A whole one that somebody else made meanwhile stays: it may be running.
    """
    document = {"files": {name: digest(temporary / name)[1] for name in names}}
    write_bytes(temporary / MANIFEST, json.dumps(document).encode())
    for _ in range(8):
        try:
            temporary.rename(place)
        except OSError:
            if contents(place):
                return
            with scratch("old", place.parent) as aside, suppress(OSError):
                place.rename(aside / "build")
        else:
            return
    raise UsageError("a build cannot be put in its place", where=str(place))


def digest(path: Path) -> tuple[str, str]:
    """Return a file's name and SHA-256.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.name, hashlib.sha256(files.read(path)).hexdigest()
    except FileFormatError as error:
        raise UsageError.placed(error, error.where) from None


def prune(place: Path, keep: Path, now: float | None = None) -> None:
    """Delete what was not used for long, then the oldest until the rest fits.

    Args:
        place: folder of builds.
        keep: one of them that stays.
        now: the time, in seconds.
    """
    now = time.time() if now is None else now
    total = 0
    for used, size, path in sorted(_entries(place), reverse=True):
        total += size
        old = now - used > MOST_SECONDS or (total > MOST_BYTES and now - used > LEAST_SECONDS)
        if not old or path == keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _entries(place: Path) -> list[tuple[float, int, Path]]:
    found = []
    for path in place.iterdir():
        with suppress(OSError):  # another process may delete it meanwhile
            size = sum(p.stat().st_size for p in path.rglob("*")) if path.is_dir() else 0
            found.append((path.stat().st_mtime, size, path))
    return found
