"""Files of a golden set, read without following a link, waiting on a pipe or trusting a size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim import files

if TYPE_CHECKING:
    from pathlib import Path

MOST_MANIFEST: Final = 1 << 28
MOST_CASE: Final = 1 << 32


def read_file(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file that is no link.

    Raises:
        FileFormatError: it is missing, something else, too large, or cannot be read.
    """
    return files.read(path, most, links=False)
