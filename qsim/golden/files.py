"""Files of a golden set, read without following a link, waiting on a pipe or trusting a size."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from qsim.errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

MOST_MANIFEST: Final = 1 << 28
MOST_CASE: Final = 1 << 32
# A pipe that somebody put there would block the open without O_NONBLOCK.
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def read_file(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file that is no link.

    Raises:
        FileFormatError: it is missing, something else, too large, or cannot be read.
    """
    where = str(path)
    try:
        handle = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        if path.is_symlink():
            raise FileFormatError("it is a link", where=where, accepted="a file") from None
        reason = getattr(error, "strerror", None) or str(error)
        raise FileFormatError(f"cannot be read: {reason.lower()}", where=where) from None
    try:
        held = os.fstat(handle)
        if not stat.S_ISREG(held.st_mode):
            raise FileFormatError("it is not a regular file", where=where, accepted="a file")
        if held.st_size > most:
            raise FileFormatError(
                f"it is {held.st_size:,} bytes long", where=where, accepted=f"at most {most:,}"
            )
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(most + 1)
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "it does not fit into memory"
        raise FileFormatError(f"cannot be read: {reason.lower()}", where=where) from None
    finally:
        os.close(handle)
