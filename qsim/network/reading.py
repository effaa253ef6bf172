"""Reads ``.qsim`` files: nothing but a whole file becomes a network."""

from __future__ import annotations

import copyreg
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsim.errors import FileFormatError, MissingToolError, QsimError
from qsim.network.document import from_document
from qsim.network.lowered import Lowered
from qsim.network.store import to_bytes, unpack

if TYPE_CHECKING:
    import os


def load(path: str | os.PathLike[str]) -> Lowered:
    """Read a ``.qsim`` file.

    Raises:
        FileFormatError: missing, truncated, damaged, of another version, or not such a file.
        MissingToolError: the network has host operators and torch is not installed.
    """
    where = str(path)
    try:
        return from_bytes(_read(Path(path), where))
    except MissingToolError:
        raise
    except QsimError as error:
        place = f"{where}: {error.where}" if error.where and error.where != where else where
        raise FileFormatError(error.message, where=place, accepted=error.accepted) from None


def _read(path: Path, where: str) -> bytes:
    accepted = "a .qsim file"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "a directory" if path.is_dir() else "not a regular file"
            raise FileFormatError(f"it is {kind}", where=where, accepted=accepted)
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise FileFormatError(
            f"cannot be read: {reason.lower()}", where=where, accepted=accepted
        ) from None
    except MemoryError:
        raise FileFormatError("it does not fit into memory", where=where) from None


def from_bytes(data: bytes) -> Lowered:
    """Return the network of a file's bytes.

    Raises:
        QsimError: the bytes are not those of a ``.qsim`` file.
    """
    document, arrays = unpack(data)
    try:
        return from_document(document, arrays, Lowered)
    except (TypeError, ValueError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        raise FileFormatError(f"the document is malformed: {error}") from None


def _reduced(network: Lowered) -> tuple[Any, tuple[bytes]]:
    return from_bytes, (to_bytes(network),)


# Pickles and copies hold the bytes of a file, and the name of what reads them: no code.
copyreg.pickle(Lowered, _reduced)
