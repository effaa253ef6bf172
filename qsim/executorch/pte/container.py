"""What surrounds the FlatBuffers part of a ``.pte`` and of a ``.ptd``: header and segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qsim import files
from qsim.errors import FileFormatError
from qsim.executorch import adapter
from qsim.executorch.pte import flatbuffers
from qsim.executorch.pte.schemas import schema_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from qsim.executorch.pte.flatbuffers import Table

_PTE_HEADER: Final = b"eh00"
_PTD_HEADER: Final = b"FH01"


@dataclass(frozen=True, slots=True)
class Container:
    """The root table of a file and its segments, as views of the file's bytes."""

    root: Table
    segments: tuple[memoryview, ...]

    def segment(self, index: int, what: str) -> memoryview:
        """Return one segment.

        Raises:
            FileFormatError: there is no such segment; the message begins with what wants it.
        """
        if not 0 <= index < len(self.segments):
            raise FileFormatError(
                f"{what} is in segment {index} of {len(self.segments)}: the file is damaged"
            )
        return self.segments[index]


def read_bytes(path: str | os.PathLike[str], kind: str) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        FileFormatError: it is missing, unreadable, or no regular file.
    """
    return files.read(path, accepted=kind)


def read_pte(data: bytes) -> Container:
    """Return the Program table and the segments of a ``.pte``.

    Raises:
        FileFormatError: it is no such file, of another version, truncated or damaged.
        MissingToolError: ExecuTorch is not installed.
    """
    view = memoryview(data)
    size, base = len(view), 0
    if bytes(view[8:12]) == _PTE_HEADER:
        length = _number(view, 12, 4)
        if length < 24:
            raise FileFormatError(f"its header says that it is {length} bytes long")
        size, base = _number(view, 16, 8), _number(view, 24, 8)
        tail = _number(view, 32, 8) if length >= 32 else len(view) - base
        _inside(len(view), 0, size, "its program")
        _inside(len(view), base, tail if base else 0, "its segments")
    root = flatbuffers.read(view[:size], schema_of("program"))
    version = int(root["version"])
    if version > adapter.PROGRAM_VERSION:
        raise FileFormatError(
            f"its program is of version {version}",
            accepted=f"version {adapter.PROGRAM_VERSION}, as ExecuTorch {adapter.VERSION} writes",
        )
    # Without a header there is nothing after the program; segments of no bytes may be named still.
    return Container(root, _segments(view[base:] if base else memoryview(b""), root["segments"]))


def read_ptd(data: bytes) -> Container:
    """Return the FlatTensor table and the segments of a ``.ptd``.

    Raises:
        FileFormatError: it is no such file, of another version, truncated or damaged.
    """
    view = memoryview(data)
    if bytes(view[8:12]) != _PTD_HEADER:
        raise FileFormatError("it has no header of a .ptd file", accepted="a .ptd file")
    begin, size, base, tail = (_number(view, 16 + 8 * index, 8) for index in range(4))
    _inside(len(view), begin, size, "its table")
    _inside(len(view), base, tail, "its segments")
    root = flatbuffers.read(view[: begin + size], schema_of("flat_tensor"))
    if root["version"] != 0:
        raise FileFormatError(f"it is of version {root['version']}", accepted="version 0")
    return Container(root, _segments(view[base:], root["segments"]))


def _number(view: memoryview, position: int, size: int) -> int:
    if position + size > len(view):
        raise FileFormatError(f"its {len(view)} bytes end within the header: it is truncated")
    return int.from_bytes(view[position : position + size], "little")


def _inside(total: int, begin: int, size: int, what: str) -> None:
    if begin + size > total:
        raise FileFormatError(
            f"{what} should end at byte {begin + size} of {total}: it is truncated or damaged"
        )


def _segments(view: memoryview, tables: Sequence[Table]) -> tuple[memoryview, ...]:
    result = []
    for index, table in enumerate(tables):
        begin, size = int(table["offset"]), int(table["size"])
        _inside(len(view), begin, size, f"segment {index}")
        result.append(view[begin : begin + size])
    return tuple(result)
