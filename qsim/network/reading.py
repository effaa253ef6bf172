"""Reads ``.qsim`` files: nothing but a whole file becomes a network."""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, Any

from qsim import files
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
        return from_bytes(files.read(path, accepted="a .qsim file"))
    except MissingToolError:
        raise
    except QsimError as error:
        place = f"{where}: {error.where}" if error.where and error.where != where else where
        raise FileFormatError(error.message, where=place, accepted=error.accepted) from None


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
