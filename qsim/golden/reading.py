"""One case of a golden set, read from its file and checked."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qsim.errors import FileFormatError, QsimError
from qsim.golden.case import Case
from qsim.golden.files import MOST_CASE, read_file
from qsim.golden.single import check_case
from qsim.network import read_arrays
from qsim.program import PRIMITIVES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qsim.golden.manifest import Entry


@contextmanager
def data_of(path: Path) -> Iterator[None]:
    """Turn what is wrong with data into what is wrong with the file that holds it."""
    try:
        yield
    except QsimError as error:
        where = f"{path}: {error.where}" if error.where else str(path)
        raise FileFormatError(error.message, where=where, accepted=error.accepted) from None
    except (TypeError, ValueError, KeyError, OverflowError, RecursionError) as error:
        raise FileFormatError(f"malformed: {error}", where=str(path)) from None


def read_case(directory: Path, entry: Entry) -> Case:
    """Return a case of a set's folder.

    Raises:
        FileFormatError: its file is not what the manifest says, or no primitive accepts it.
    """
    path = directory / entry.file
    data = read_file(path, min(entry.bytes, MOST_CASE))
    if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise FileFormatError(
            "its SHA-256 is not the manifest's: changed or damaged",
            where=str(path),
            accepted="the file as it was written",
        )
    with data_of(path):
        case = _case(entry, data)
        check_case(case)
    return case


def _case(entry: Entry, data: bytes) -> Case:
    arrays = read_arrays(data)
    described = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    if described != dict(entry.arrays):
        odd = min(
            name
            for name in {*described, *entry.arrays}
            if described.get(name) != entry.arrays.get(name)
        )
        raise FileFormatError(
            f"array {odd!r} is {described.get(odd, 'not there')}",
            accepted=str(entry.arrays.get(odd, "no such array")),
        )
    constants = {
        name.removeprefix("constant/"): array
        for name, array in arrays.items()
        if name.startswith("constant/")
    }
    slots = PRIMITIVES[entry.primitive].slots(len(entry.formats) - 1)
    operands = {name: arrays[f"operand/{name}"] for name in slots}
    return Case(
        name=entry.name,
        layer=entry.layer,
        primitive=entry.primitive,
        attributes=entry.attributes,
        operands=operands,
        constants=constants,
        formats=entry.formats,
        expected=arrays["output"],
        classes=entry.classes,
    )
