"""How a field of a target states its rule, and how the rule is checked and put in words.

A field's annotation is its rule: an ``int`` carries a ``Range``, a ``Literal`` its names. It is
checked whenever a section is made, so ``dataclasses.replace`` is as strict as a file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, get_args, get_origin, get_type_hints

from qsim.errors import TargetError
from qsim.registry import has_primitive


@dataclass(frozen=True, slots=True)
class Range:
    """The integers that a field accepts, both ends included."""

    low: int
    high: int
    power_of_two: bool = False

    def __str__(self) -> str:
        kind = "a power of two" if self.power_of_two else "an integer"
        return f"{kind} from {self.low} to {self.high}"

    def fits(self, value: object) -> bool:
        """Return whether a value is one of them; bool is an int to Python, not to a register."""
        return (
            type(value) is int
            and self.low <= value <= self.high
            and not (self.power_of_two and value & (value - 1))
        )


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the contract, and those that registered extensions bring (``qsim.extend``)."""

    known: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.known)}; or what a registered extension brings"

    def fits(self, value: object) -> bool:
        """Return whether a value is one of them; entry points are loaded for an unknown name."""
        return isinstance(value, str) and (value in self.known or has_primitive(value))


# Resolving annotations takes longer than checking them.
_FIELD_TYPES: Final[dict[type, dict[str, Any]]] = {}


def field_types(section: type[Section]) -> dict[str, Any]:
    """Return the annotation of every field of a section, in the order of the file."""
    if section not in _FIELD_TYPES:
        hints = get_type_hints(section, include_extras=True)
        types = {field.name: hints[field.name] for field in dataclasses.fields(section)}
        _FIELD_TYPES[section] = types
    return _FIELD_TYPES[section]


def defaults(section: type[Section]) -> dict[str, Any]:
    """Return the fields that a file may leave out, with what they are then.

    A field that came later has a value that says nothing new. It is left out wherever a target is
    written, and of the hash, so that the targets from before keep theirs.
    """
    return {
        field.name: field.default
        for field in dataclasses.fields(section)
        if field.default is not dataclasses.MISSING
    }


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def accepted(annotation: Any) -> str:
    """Say in words what a field accepts; empty where the type is not one of the known ones."""
    if get_origin(annotation) is Annotated:
        return str(get_args(annotation)[1])
    if names := _choices(annotation):
        return ", ".join(names)
    if get_origin(annotation) is tuple:
        return f"a list of names, each once: {accepted(get_args(annotation)[0])}"
    return {bool: "true or false", str: "text"}[annotation]


def _fits(annotation: Any, value: object) -> bool:
    if get_origin(annotation) is Annotated:
        return bool(get_args(annotation)[1].fits(value))
    if names := _choices(annotation):
        return isinstance(value, str) and value in names
    if get_origin(annotation) is tuple:
        item = get_args(annotation)[0]
        return (
            isinstance(value, tuple)
            and all(_fits(item, v) for v in value)
            and len(set(value)) == len(value)
        )
    return type(value) is annotation


def _offence(annotation: Any, value: object) -> str:
    """Say what is wrong: one name of a list where that is all."""
    if get_origin(annotation) is tuple and isinstance(value, tuple):
        item = get_args(annotation)[0]
        odd = [entry for entry in value if not _fits(item, entry)]
        if odd:
            return f"has {shown(odd[0])}, which neither the contract has nor an extension brings"
    return f"is {shown(value)}"


def shown(value: object, limit: int = 60) -> str:
    """Return a short repr: an offender from a file may be very long, or an integer too long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a very long {type(value).__name__}"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


@dataclass(frozen=True, slots=True)
class Section:
    """Checks every field of a section against its annotation."""

    section: ClassVar[str]

    def __post_init__(self) -> None:
        for name, annotation in field_types(type(self)).items():
            value = getattr(self, name)
            if not _fits(annotation, value):
                raise TargetError(
                    _offence(annotation, value),
                    where=f"{self.section}.{name}",
                    accepted=accepted(annotation),
                )
