"""What a module declares: ports, parameters, and which of its inputs are edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Direction: TypeAlias = Literal["input", "output", "inout"]


@dataclass(frozen=True, slots=True)
class Part:
    """A member of a port that is a packed structure.

    Attributes:
        name: of the member.
        bits, signed: of it.
        lsb: its lowest bit in the port.
    """

    name: str
    bits: int
    signed: bool
    lsb: int


@dataclass(frozen=True, slots=True)
class Port:
    """One port, or one signal of a port that is an interface.

    Attributes:
        name: ``interface.signal`` where it is one of those.
        direction: as the module sees it.
        bits: of an element, where it is an array; else of all.
        signed: of an element.
        count: elements of an array, packed or not; 1 where it is none.
        unpacked: direction of the range of an unpacked array; empty where it is none.
        parts: members, of a packed structure.
        sizes: of an unpacked array of several dimensions, in each; empty of any other.
    """

    name: str
    direction: Direction
    bits: int
    signed: bool
    count: int = 1
    unpacked: Literal["", "ascending", "descending"] = ""
    parts: tuple[Part, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """All bits."""
        return self.bits * self.count


@dataclass(frozen=True, slots=True)
class Interface:
    """A port that is an interface.

    Attributes:
        name: of the port.
        type, modport: of what it is.
        clock: its own port for a clock, where it has one.
    """

    name: str
    type: str
    modport: str
    clock: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that can be set.

    Attributes:
        name: of it.
        value: its default as TOML writes it; empty where it has none, or one that TOML cannot say.
        note: what else there is to say.
    """

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Module:
    """A module.

    Attributes:
        name: of it.
        sources: the files that were read, in compile order.
        ports, interfaces, parameters: what it declares.
        edges: inputs in event controls, in the module or in those inside it, with the edge.
        conditions: one-bit inputs that a clocked process asks for first, with the level that is
            asked for.
        missing: modules inside it whose source was not found.
        unbound: ports and parameters that a binding has no words for, and why, one line each.
        notes: what the parser found wrong, one line each.
    """

    name: str
    sources: tuple[Path, ...]
    ports: tuple[Port, ...]
    interfaces: tuple[Interface, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    edges: Mapping[str, Literal["posedge", "negedge", "both"]] = field(default_factory=dict)
    conditions: Mapping[str, Literal["high", "low"]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unbound: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def named(self, direction: Direction) -> list[Port]:
        """Return the ports of one direction."""
        return [port for port in self.ports if port.direction == direction]
