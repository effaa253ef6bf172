"""Reading a FlatBuffers file with every offset checked, by its schema.

The FlatBuffers package for Python trusts its bytes. Here every table, vector and string is
checked to lie inside the file before it is read, and the work is bounded by the file's size, so
that no damaged file can cost more than a whole one. A table becomes a ``dict`` of its fields (a
missing vector is empty, a missing table or string is None), a union a pair of its kind and its
table, an enum its name, a vector of bytes a ``memoryview``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError
from qsim.executorch.pte.flatbuffers.schema import SCALARS

if TYPE_CHECKING:
    from qsim.executorch.pte.flatbuffers.schema import Field, Schema

Table = dict[str, Any]
_U16: Final = struct.Struct("<H")
_U32: Final = struct.Struct("<I")
_I32: Final = struct.Struct("<i")
# Nothing in ExecuTorch's schemas nests deeper than this: Program, plan, chain, instruction, call.
_MAX_DEPTH: Final = 16


class _Reader:
    def __init__(self, data: memoryview, schema: Schema) -> None:
        self.data = data
        self.size = len(data)
        self.schema = schema
        # Each byte is read once, unless tables share parts; a writer shares strings at most.
        self.budget = 4 * len(data) + 4096

    def damaged(self, what: str) -> str:
        return f"{what}: the file is damaged"

    def need(self, position: int, size: int, what: str) -> None:
        self.budget -= size
        if position < 0 or position + size > self.size:
            raise FileFormatError(self.damaged(f"{what} lies outside its {self.size} bytes"))
        if self.budget < 0:
            raise FileFormatError(self.damaged("its parts overlap"))

    def offset(self, position: int, what: str) -> int:
        self.need(position, 4, what)
        return position + int(_U32.unpack_from(self.data, position)[0])

    def table(self, position: int, name: str, depth: int) -> Table:
        if depth > _MAX_DEPTH:
            raise FileFormatError(self.damaged("its tables nest too deeply"))
        self.need(position, 4, name)
        vtable = position - int(_I32.unpack_from(self.data, position)[0])
        self.need(vtable, 4, f"the vtable of {name}")
        vtable_size = int(_U16.unpack_from(self.data, vtable)[0])
        table_size = int(_U16.unpack_from(self.data, vtable + 2)[0])
        if vtable_size < 4 or vtable_size % 2 or table_size < 4:
            raise FileFormatError(self.damaged(f"the vtable of {name} is of no valid size"))
        self.need(vtable, vtable_size, f"the vtable of {name}")
        self.need(position, table_size, name)
        result: Table = {}
        for field in self.schema.tables[name]:
            entry = 4 + 2 * field.slot
            result[field.name] = self.field(position, vtable, entry, vtable_size, field, depth)
        return result

    def at(self, position: int, vtable: int, entry: int, vtable_size: int) -> int:
        """Return where a field lies, or 0 where it is absent."""
        if entry + 2 > vtable_size:
            return 0
        relative = int(_U16.unpack_from(self.data, vtable + entry)[0])
        return position + relative if relative else 0

    def field(
        self, position: int, vtable: int, entry: int, vtable_size: int, field: Field, depth: int
    ) -> Any:
        place = self.at(position, vtable, entry, vtable_size)
        if field.type in self.schema.unions:
            value = self.at(position, vtable, entry + 2, vtable_size)
            return self.union(place, value, field, depth)
        if field.vector:
            return self.vector(self.offset(place, field.name), field, depth) if place else ()
        if field.type == "string":
            return self.string(self.offset(place, field.name), field.name) if place else None
        if field.type in self.schema.tables:
            inner = self.offset(place, field.name) if place else 0
            return self.table(inner, field.type, depth + 1) if place else None
        return self.scalar(place, field)

    def union(self, place: int, value: int, field: Field, depth: int) -> tuple[str, Table] | None:
        kind = 0
        if place:
            self.need(place, 1, field.name)
            kind = self.data[place]
        kinds = self.schema.unions[field.type]
        if kind > len(kinds):
            raise FileFormatError(f"{field.name} is of unknown kind {kind}")
        if kind == 0 or not value:
            return None
        name = kinds[kind - 1]
        return name, self.table(self.offset(value, name), name, depth + 1)

    def scalar(self, place: int, field: Field) -> Any:
        enum = self.schema.enums.get(field.type)
        code = enum.code if enum else SCALARS[field.type]
        if place:
            self.need(place, struct.calcsize(code), field.name)
            value = struct.unpack_from(f"<{code}", self.data, place)[0]
        else:
            value = 0.0 if code in "fd" else 0
        if enum is None:
            return value if code != "?" else bool(value)
        if value not in enum.names:
            raise FileFormatError(f"{field.name} is of unknown {field.type} {value}")
        return enum.names[value]

    def vector(self, position: int, field: Field, depth: int) -> Any:
        self.need(position, 4, field.name)
        count = int(_U32.unpack_from(self.data, position)[0])
        start = position + 4
        code = SCALARS.get(field.type)
        if code is None:
            self.need(start, 4 * count, field.name)
            places = [self.offset(start + 4 * index, field.name) for index in range(count)]
            if field.type == "string":
                return tuple(self.string(place, field.name) for place in places)
            return tuple(self.table(place, field.type, depth + 1) for place in places)
        self.need(start, struct.calcsize(f"<{code}") * count, field.name)
        if code == "B":
            return self.data[start : start + count]
        return struct.unpack_from(f"<{count}{code}", self.data, start)

    def string(self, position: int, what: str) -> str:
        self.need(position, 4, what)
        count = int(_U32.unpack_from(self.data, position)[0])
        self.need(position + 4, count, what)
        try:
            return str(self.data[position + 4 : position + 4 + count], "utf-8")
        except UnicodeDecodeError:
            raise FileFormatError(self.damaged(f"{what} is not text")) from None


def read(data: memoryview, schema: Schema) -> Table:
    """Return the root table of a FlatBuffers file.

    Raises:
        FileFormatError: the file is of another kind, truncated or damaged.
    """
    wanted = schema.identifier
    if len(data) < 8 or bytes(data[4:8]) != wanted:
        raise FileFormatError(
            f"it does not begin as a file of kind {wanted.decode()}", accepted=wanted.decode()
        )
    reader = _Reader(data, schema)
    return reader.table(reader.offset(0, "the root table"), schema.root, 0)
