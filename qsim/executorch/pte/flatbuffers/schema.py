"""FlatBuffers schema text, as far as ExecuTorch's files use it, into plain descriptions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_COMMENT: Final = re.compile(r"//[^\n]*")
_BLOCK: Final = re.compile(r"\b(table|enum|union)\s+(\w+)\s*(?::\s*(\w+))?\s*\{([^}]*)\}")
_FIELD: Final = re.compile(r"(\w+)\s*:\s*(\[?)\s*([\w.]+)\s*\]?\s*(?:\([^)]*\))?\s*(?:=\s*(\w+))?")
_IDENTIFIER: Final = re.compile(r'file_identifier\s+"(....)"')
_ROOT: Final = re.compile(r"root_type\s+(\w+)")
# Size in bytes, signed, kind of a scalar of the schema language.
SCALARS: Final = {
    "bool": "?",
    "byte": "b",
    "int8": "b",
    "ubyte": "B",
    "uint8": "B",
    "short": "h",
    "ushort": "H",
    "int": "i",
    "int32": "i",
    "uint": "I",
    "uint32": "I",
    "long": "q",
    "int64": "q",
    "ulong": "Q",
    "uint64": "Q",
    "float": "f",
    "double": "d",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a table: its slot in the vtable, its type, whether it is a vector of it."""

    name: str
    slot: int
    type: str
    vector: bool
    default: str


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum: the struct code of its scalar, and its names by value."""

    code: str
    names: dict[int, str]


@dataclass(slots=True)
class Schema:
    """Tables, enums and unions by name; the root table and the four bytes that mark a file."""

    root: str
    identifier: bytes
    tables: dict[str, tuple[Field, ...]] = field(default_factory=dict)
    enums: dict[str, Enum] = field(default_factory=dict)
    unions: dict[str, tuple[str, ...]] = field(default_factory=dict)


def parse(text: str) -> Schema:
    """Return the Schema of the text of one or more ``.fbs`` files, the main one last."""
    text = _COMMENT.sub("", text)
    blocks = {name: (kind, code, body) for kind, name, code, body in _BLOCK.findall(text)}
    unions = {name for name, (kind, _, _) in blocks.items() if kind == "union"}
    schema = Schema(_ROOT.findall(text)[-1], _IDENTIFIER.findall(text)[-1].encode())
    for name, (kind, code, body) in blocks.items():
        if kind == "table":
            schema.tables[name] = _fields(body, unions)
        elif kind == "enum":
            schema.enums[name] = Enum(SCALARS[code], _members(body))
        else:
            schema.unions[name] = tuple(re.findall(r"\w+", body))
    return schema


def _fields(body: str, unions: set[str]) -> tuple[Field, ...]:
    """Return the fields of a table; a union takes two slots, its kind and its value."""
    fields = []
    slot = 0
    for declaration in body.split(";"):
        match = _FIELD.match(declaration.strip())
        if match is None:
            continue
        name, bracket, kind, default = match.groups()
        kind = kind.rpartition(".")[2]
        fields.append(Field(name, slot, kind, bool(bracket), default or ""))
        slot += 2 if kind in unions else 1
    return tuple(fields)


def _members(body: str) -> dict[int, str]:
    return {int(value): name for name, value in re.findall(r"(\w+)\s*=\s*(-?\d+)", body)}
