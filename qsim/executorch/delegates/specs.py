"""Compile specs of a delegate: the target's TOML text, its hash, and the version of the blob."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError, QsimError
from qsim.network import FORMAT_VERSION
from qsim.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGET: Final = "qsim.target"
HASH: Final = "qsim.target_hash"
FORMAT: Final = "qsim.format"
_WHERE: Final = "compile specs of a qsim delegate"


def encode(target: Target) -> dict[str, bytes]:
    """Return the compile specs of a delegate, by key."""
    return {
        TARGET: to_toml(target).encode(),
        HASH: target.hash.encode(),
        FORMAT: str(FORMAT_VERSION).encode(),
    }


def decode(specs: Mapping[str, bytes]) -> Target:
    """Return the target of a delegate's compile specs, which are by key.

    Raises:
        FileFormatError: a spec is missing, unknown or of another version, the TOML text states no
            target, or a target of another hash.
    """
    found = {key: bytes(value) for key, value in specs.items()}
    known = (TARGET, HASH, FORMAT)
    if sorted(found) != sorted(known):
        raise FileFormatError(
            f"the keys are {', '.join(sorted(found)) or 'none'}",
            where=_WHERE,
            accepted=", ".join(known),
        )
    version = found[FORMAT].decode(errors="replace")
    if version != str(FORMAT_VERSION):
        raise FileFormatError(
            f"made for format {version[:20]!r} of delegates",
            where=_WHERE,
            accepted=f"format {FORMAT_VERSION}",
        )
    try:
        target = Target.from_toml(found[TARGET].decode(), _WHERE)
    except UnicodeDecodeError as error:
        raise FileFormatError(f"the target is not UTF-8: {error}", where=_WHERE) from None
    except QsimError as error:
        raise FileFormatError(error.message, where=error.where, accepted=error.accepted) from None
    stated = found[HASH].decode(errors="replace")
    if stated != target.hash:
        raise FileFormatError(
            f"they state the hash {stated[:71]}, their target has {target.short_hash}",
            where=_WHERE,
            accepted="a target and its own hash",
        )
    return target


def to_toml(target: Target) -> str:
    """Return the TOML text of a target; ``Target.from_toml`` reads it back."""
    fields = target.to_dict()
    tables = {name: value for name, value in fields.items() if isinstance(value, dict)}
    lines = _lines({name: value for name, value in fields.items() if name not in tables})
    for name, table in tables.items():
        lines += [f"[{name}]", *_lines(table)]
    return "\n".join(lines) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    # JSON's text, integers, booleans and lists of them are TOML too.
    return [f"{key} = {_text(value)}" for key, value in table.items()]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
