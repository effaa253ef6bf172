"""Writing a FlatBuffers file by its schema, front to back: the reverse of ``reading``.

ExecuTorch's own writers are Python too, but they come with all of its compiler, which takes many
seconds to import and warns of itself. What is written here is checked against them and its C++
runtime (``tests/qsim/executorch/bundled/test_runtime.py``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import UsageError
from qsim.executorch.pte.flatbuffers.schema import SCALARS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qsim.executorch.pte.flatbuffers.reading import Table
    from qsim.executorch.pte.flatbuffers.schema import Field, Schema

# A vtable may lie before its table: that distance is a signed 32-bit number.
MOST_BYTES: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class _Part:
    """What a table holds for a slot: a number, or an offset to what ``child`` will write."""

    slot: int
    code: str
    number: float
    child: Callable[[], int] | None = None

    @property
    def size(self) -> int:
        return struct.calcsize(self.code)


class _Writer:
    def __init__(self, schema: Schema, alignment: Mapping[str, int]) -> None:
        self.schema = schema
        self.alignment = alignment
        self.codes = {name: {n: v for v, n in e.names.items()} for name, e in schema.enums.items()}
        self.out = bytearray()

    def pad(self, alignment: int, ahead: int = 0) -> int:
        """Fill up so that what follows ``ahead`` more bytes is aligned; return the position."""
        self.out += bytes(-(len(self.out) + ahead) % alignment)
        return len(self.out)

    def point(self, place: int, target: int) -> None:
        """Let the offset at a place lead to a position behind it."""
        if len(self.out) > MOST_BYTES:
            raise UsageError("the file would be too long", accepted=f"up to {MOST_BYTES:,} bytes")
        struct.pack_into("<I", self.out, place, target - place)

    def table(self, name: str, value: Table) -> int:
        """Write a table, then what it refers to; return its position."""
        fields = self.schema.tables[name]
        parts = [
            part for field in fields for part in self.parts(name, field, value.get(field.name))
        ]
        parts.sort(key=lambda part: -part.size)  # so that there are no gaps between them
        slots = max((part.slot for part in parts), default=-1) + 1
        vtable = self.pad(2)
        self.out += bytes(4 + 2 * slots)
        # The parts follow the four bytes that lead to the vtable.
        position = self.pad(max((part.size for part in parts if part.size > 4), default=4), 4)
        self.out += struct.pack("<i", position - vtable)
        places = []
        for part in parts:
            places.append(len(self.out))
            struct.pack_into("<H", self.out, vtable + 4 + 2 * part.slot, places[-1] - position)
            self.out += struct.pack(f"<{part.code}", part.number)
        struct.pack_into("<HH", self.out, vtable, 4 + 2 * slots, len(self.out) - position)
        for part, place in zip(parts, places, strict=True):
            if part.child is not None:
                self.point(place, part.child())
        return position

    def parts(self, table: str, field: Field, value: Any) -> list[_Part]:
        """Return what a table holds of a field: nothing, one part, or two of a union."""
        if value is None:
            return []
        if field.type in self.schema.unions:
            kind, inner = value
            number = 1 + self.schema.unions[field.type].index(kind)
            return [
                _Part(field.slot, "B", number),
                _Part(field.slot + 1, "I", 0, partial(self.table, kind, inner)),
            ]
        if field.vector:
            least = self.alignment.get(f"{table}.{field.name}", 1)
            return [_Part(field.slot, "I", 0, partial(self.vector, field, value, least))]
        if field.type == "string":
            return [_Part(field.slot, "I", 0, partial(self.string, value))]
        if field.type in self.schema.tables:
            return [_Part(field.slot, "I", 0, partial(self.table, field.type, value))]
        if field.type in self.codes:
            number = self.codes[field.type][value]
            return [_Part(field.slot, self.schema.enums[field.type].code, number)]
        return [_Part(field.slot, SCALARS[field.type], value)]

    def vector(self, field: Field, value: Any, least: int) -> int:
        code = SCALARS.get(field.type)
        if code is not None:
            position = self.pad(max(4, struct.calcsize(code), least), 4)
            self.out += struct.pack("<I", len(value))
            self.out += bytes(value) if code == "B" else struct.pack(f"<{len(value)}{code}", *value)
            return position
        position = self.pad(4)
        self.out += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for index, item in enumerate(value):
            made = self.string(item) if field.type == "string" else self.table(field.type, item)
            self.point(position + 4 + 4 * index, made)
        return position

    def string(self, value: str) -> int:
        data = value.encode()
        position = self.pad(4)
        self.out += struct.pack("<I", len(data)) + data + b"\0"
        return position


def write(root: Table, schema: Schema, alignment: Mapping[str, int]) -> bytes:
    """Return a FlatBuffers file.

    Args:
        root: the root table, as ``read`` returns one; a field that is missing or None
            is left out.
        schema: the tables.
        alignment: in bytes, of the vectors that the schema's ``force_align`` speaks of, by
            ``Table.field``.

    Raises:
        UsageError: the file would be 2 GiB long or longer.
    """
    writer = _Writer(schema, alignment)
    writer.out += bytes(4) + schema.identifier
    writer.point(0, writer.table(schema.root, root))
    return bytes(writer.out)
