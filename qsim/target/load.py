"""Reading targets: strict, and harmless whatever the file holds.

A target file is data from a stranger: it is read up to a size, decoded, parsed and checked, and
every way in which that can fail is a TargetError of one line.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_origin

from qsim import toml
from qsim.errors import FileFormatError, TargetError
from qsim.target.fields import accepted, defaults, field_types, shown
from qsim.target.sections import OPTIONAL, SECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

T = TypeVar("T")
SHIPPED: Final = Path(__file__).parent.parent / "targets"
# A contract needs about 4 KiB.
MAX_BYTES: Final = 64 * 1024
_HEAD: Final = ("schema", "name", "reproduces", "notes")
_MAY_BE_SAID: Final = ("checked",)


def names() -> tuple[str, ...]:
    """Return the names of the shipped targets, sorted."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def load(target: str | os.PathLike[str], make: Callable[..., T]) -> T:
    """Return a shipped target by name, or the one in a ``.toml`` file.

    Args:
        target: its name or path.
        make: what is made of its sections; like ``Target``, it takes them by name.
    """
    try:
        text = os.fspath(target)
    except TypeError:
        raise TargetError(
            f"a target is named by text, not by {shown(target)}", accepted="a name or a path"
        ) from None
    if not isinstance(text, str):
        raise TargetError(f"a path must be text, not {shown(text)}", accepted="a name or a path")
    if text in names():
        return _load_file(SHIPPED / f"{text}.toml", make, where=f"{text}.toml")
    if text.endswith(".toml") or isinstance(target, os.PathLike):
        return _load_file(Path(text), make, where=shown(text, 300)[1:-1])
    known = _closest_first(text, names())
    hint = " (a file's name must end in .toml)" if "/" in text or "." in text else ""
    raise TargetError(
        f"there is no target {shown(text)}{hint}",
        accepted=f"{', '.join(known)}, or the path of a .toml file",
    )


def _load_file(path: Path, make: Callable[..., T], where: str) -> T:
    try:
        document = toml.load(path, MAX_BYTES, "a target .toml file")
    except FileFormatError as error:
        raise TargetError.placed(error, where) from None
    return from_dict(document, make, where)


def from_toml(text: str, make: Callable[..., T], where: str = "") -> T:
    """Return the target that a TOML text states; ``where`` names it in errors."""
    try:
        document = toml.parse(text)
    except FileFormatError as error:
        raise TargetError.placed(error, where) from None
    return from_dict(document, make, where)


def from_dict(data: Mapping[str, Any], make: Callable[..., T], where: str = "") -> T:
    """Return the target that a mapping states, every field checked."""
    try:
        return _build(data, make)
    except TargetError as error:
        place = ": ".join(part for part in (where, error.where) if part)
        raise TargetError(error.message, where=place, accepted=error.accepted) from None


def _build(data: object, make: Callable[..., T]) -> T:
    if not isinstance(data, Mapping):
        raise TargetError(f"a target is a table, not {shown(data)}", accepted="a table of sections")
    # The version comes first: another version's fields would all look like mistakes.
    if "schema" not in data:
        raise TargetError("is missing", where="schema", accepted="schema = 1")
    if type(data["schema"]) is not int or data["schema"] != 1:
        raise TargetError(
            f"this qsim does not read version {shown(data['schema'])} of the contract",
            where="schema",
            accepted="1",
        )
    known = (*_HEAD, *_MAY_BE_SAID, *SECTIONS)
    _check_keys(data, known, (*_MAY_BE_SAID, *OPTIONAL), "", "a section or field")
    sections = {
        name: _section(name, cls, data[name]) for name, cls in SECTIONS.items() if name in data
    }
    head = {name: data[name] for name in (*_HEAD, *_MAY_BE_SAID) if name in data}
    return make(**head, **sections)


def _section(name: str, cls: type[Any], values: object) -> Any:
    if not isinstance(values, Mapping):
        raise TargetError(f"is {shown(values)}", where=name, accepted=f"a table [{name}]")
    types = field_types(cls)
    silent = defaults(cls)
    _check_keys(values, tuple(types), silent, f"{name}.", "a field")
    given = {field: _value(types[field], values[field]) for field in types if field in values}
    return cls(**given)


def _value(annotation: Any, value: object) -> object:
    if get_origin(annotation) is not tuple or not isinstance(value, list):
        return value
    # Unhashable items would be refused anyway; their text keeps the refusal a TargetError.
    return tuple(item if isinstance(item, str) else shown(item) for item in value)


def _check_keys(
    table: Mapping[Any, Any],
    known: tuple[str, ...],
    optional: Collection[str],
    prefix: str,
    kind: str,
) -> None:
    for key in table:
        if key not in known:
            ordered = _closest_first(key, known)
            close = difflib.get_close_matches(str(key), known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TargetError(
                f"{shown(key)} is not {kind} of the contract{hint}",
                where=f"{prefix}{_printable(key)}",
                accepted=", ".join(ordered),
            )
    for key in known:
        if key not in table and key not in optional:
            raise TargetError(
                "is missing; every field is stated, none has a default",
                where=f"{prefix}{key}",
                accepted=_example(prefix, key),
            )


def _example(prefix: str, key: str) -> str:
    if prefix:
        return accepted(field_types(SECTIONS[prefix[:-1]])[key])
    return f"a table [{key}]" if key in SECTIONS else "text"


def _printable(key: object) -> str:
    return shown(key)[1:-1] if isinstance(key, str) else shown(key)


def _closest_first(name: object, known: Iterable[str]) -> list[str]:
    """Return the known names, those most like ``name`` first."""

    def likeness(other: str) -> float:
        return difflib.SequenceMatcher(None, str(name)[:64], other).ratio()

    return sorted(known, key=lambda other: (-likeness(other), other))
