"""The table ``[custom]`` of a ``dut.toml``: the fields of a block's beats, and where arrays lie.

It names data only. Code that computes what is expected is named by whoever runs, never by a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from qsim.cosim.jobs import Field
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Packets: TypeAlias = Literal["none", "reduce", "frame"]
PACKETS: Final[tuple[Packets, ...]] = get_args(Packets)
MAX_LANES: Final = 4096
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Spec:
    """A block.

    Attributes:
        where: the table that states it, for errors.
        name: what reports call it.
        packets: ``none``: a result for each beat; ``reduce``: one for each packet; ``frame``: a
            packet of results for each packet.
        fields: of the beats that go in.
        results: of the beats that come out.
        inputs, expected: ``.npy`` files of fields and of results, by name, where the table names
            any.
    """

    where: str
    name: str
    packets: Packets
    fields: tuple[Field, ...]
    results: tuple[Field, ...]
    inputs: Mapping[str, Path]
    expected: Mapping[str, Path]


def read(table: Any, base: Path) -> Spec:
    """Return what a table ``[custom]`` states.

    Args:
        table: as the reader of a ``dut.toml`` has it: every field is asked for once.
        base: what paths are relative to.

    Raises:
        UsageError: a field that is unknown, missing or not acceptable.
    """
    fields, results = table.table("fields"), table.table("results")
    inputs, expected = table.table("inputs", {}), table.table("expected", {})
    spec = Spec(
        where=table.where,
        name=table.identifier("name", "custom"),
        packets=table.choice("packets", PACKETS, "none"),
        fields=_fields(fields),
        results=_fields(results),
        inputs=_files(inputs, base),
        expected=_files(expected, base),
    )
    table.done()
    for given, known, kind in (
        (inputs, spec.fields, "field"),
        (expected, spec.results, "result"),
    ):
        for key in given.data:
            if key not in {field.name for field in known}:
                raise UsageError(
                    f"there is no {kind} {key!r:.80}",
                    where=given.where,
                    accepted=", ".join(field.name for field in known),
                )
    return spec


def _fields(table: Any) -> tuple[Field, ...]:
    """Return the fields of a table, the first one in the lowest bits."""
    if not table.data:
        raise UsageError("it is empty", where=table.where, accepted="NAME = { bits, signed }")
    return tuple(_field(table.table(_known(table, name)), name) for name in list(table.data))


def _known(table: Any, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a field must have a name, not {name!r:.80}",
            where=table.where,
            accepted="letters, digits and _, at most 64",
        )
    return name


def _field(table: Any, name: str) -> Field:
    field = Field(
        name,
        table.integer("bits", 1, 64),
        table.flag("signed"),
        table.integer("lanes", 1, MAX_LANES, 1),
    )
    table.done()
    return field


def _files(table: Any, base: Path) -> dict[str, Path]:
    paths = {}
    for name, value in table.data.items():
        if not isinstance(value, str) or not value.endswith(".npy") or not value.isprintable():
            raise UsageError(
                f"{name!r:.80} must not be {value!r:.80}",
                where=table.where,
                accepted="a .npy file, relative to this file",
            )
        paths[name] = base / value
    return paths
