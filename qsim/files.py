"""Files that people name, read: regular files up to a size, and nothing that waits or never ends.

A name may lead to anything: a pipe without a writer blocks, ``/dev/zero`` never ends, opening a
device may do something. So a name is looked at before it is opened, opened without waiting, and
looked at once more; no more is read than was agreed.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from qsim.errors import FileFormatError, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

# Networks, samples, external data: more than this is no file for one machine's memory.
MOST_BYTES: Final = 1 << 34
_KINDS: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a link"),
)
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read(
    path: str | os.PathLike[str],
    most: int = MOST_BYTES,
    accepted: str = "a file",
    *,
    links: bool = True,
) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: of the file.
        most: how many bytes it may have.
        accepted: what the caller reads, for errors.
        links: whether the last part of the path may be a link.

    Raises:
        FileFormatError: it is missing, unreadable, no regular file, too large, or does not fit into
            memory.
    """
    with opened(path, most, accepted, links=links) as file:
        data = file.read(most + 1)
    if len(data) > most:  # it grew, or it is one of those whose size the system does not say
        raise FileFormatError(
            f"it is longer than {most:,} bytes", where=str(path), accepted=accepted
        )
    return data


@contextmanager
def opened(
    path: str | os.PathLike[str],
    most: int = MOST_BYTES,
    accepted: str = "a file",
    *,
    links: bool = True,
) -> Iterator[BinaryIO]:
    """Open a regular file to read; arguments and errors as those of :func:`read`."""
    where = str(path)
    try:
        handle = _open(path, links=links)
    except (OSError, ValueError, TypeError) as error:  # a NUL in the path; no path at all
        reason = refusal(error) if isinstance(error, OSError) else str(error)
        raise FileFormatError(f"cannot be read: {reason}", where=where, accepted=accepted) from None
    except FileFormatError as error:
        raise FileFormatError(error.message, where=where, accepted=accepted) from None
    with os.fdopen(handle, "rb") as file:
        size = os.fstat(handle).st_size
        if size > most:
            raise FileFormatError(
                f"it is {size:,} bytes long", where=where, accepted=f"at most {most:,} bytes"
            )
        try:
            yield file
        except OSError as error:
            raise FileFormatError(
                f"cannot be read: {refusal(error)}", where=where, accepted=accepted
            ) from None
        except MemoryError:
            raise FileFormatError(
                f"what its {size:,} bytes hold does not fit into memory",
                where=where,
                accepted=accepted,
            ) from None


def _open(path: str | os.PathLike[str], *, links: bool) -> int:
    _require_regular((os.stat if links else os.lstat)(path).st_mode)
    handle = os.open(path, _FLAGS | (0 if links else os.O_NOFOLLOW))
    try:
        _require_regular(os.fstat(handle).st_mode)  # another one may have taken the name meanwhile
    except BaseException:
        os.close(handle)
        raise
    return handle


def _require_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise FileFormatError(f"it is {kind}, not a regular file")
