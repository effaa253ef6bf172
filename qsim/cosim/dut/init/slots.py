"""Places for values: ports, arrays of ports, numbered ports, members of packed structures."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from qsim.cosim.dut.init import words as w

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsim.cosim.dut.init.module import Port

_NUMBERED: Final = re.compile(r"(.*?)_?(\d+)((?:_[io])?)")


@dataclass(frozen=True)
class Slot:
    """A place for one field of a beat.

    Attributes:
        name: what its own name is matched by.
        ports: one, or one for each lane.
        bits, signed: of a lane.
        count: lanes.
        lsb: lowest bit of the first lane.
        unpacked: direction of the range of an unpacked array.
        static: its name says that it is a register of a layer.
        sizes: of an unpacked array of several dimensions, in each.
        declared: the sign of an unpacked array's elements, where ``signed`` is another.
    """

    name: str
    ports: tuple[str, ...]
    bits: int
    signed: bool
    count: int = 1
    lsb: int = 0
    unpacked: Literal["", "ascending", "descending"] = ""
    static: bool = False
    sizes: tuple[int, ...] = ()
    declared: bool | None = None

    @property
    def width(self) -> int:
        """All lanes together."""
        return self.bits * self.count

    def lanes(self, count: int) -> Slot:
        """Return the place divided into so many lanes."""
        if self.count != 1 or len(self.ports) > 1 or self.bits % count:
            return self
        return replace(self, bits=self.bits // count, count=count)

    def part(self, lsb: int, bits: int, *, signed: bool, count: int = 1) -> Slot:
        """Return some bits of the place."""
        return replace(self, lsb=self.lsb + lsb, bits=bits, signed=signed, count=count)


def slots(ports: Iterable[Port]) -> list[Slot]:
    """Return the places of ports, numbered ones of one width together."""
    made: list[Slot] = []
    groups: dict[tuple[str, int, bool], list[tuple[int, str]]] = {}
    every = list(ports)
    for port in every:
        match = _NUMBERED.fullmatch(port.name)
        if match and port.count == 1 and not port.parts and match[1]:
            key = (match[1] + match[3], port.bits, port.signed)
            groups.setdefault(key, []).append((int(match[2]), port.name))
    rows = {
        name: (key, sorted(group))
        for key, group in groups.items()
        if len(group) > 1 and [n for n, _ in sorted(group)] in _counts(len(group))
        for _, name in group
    }
    done: set[str] = set()
    for port in every:
        static = bool(set(w.words(port.name)) & w.REGISTERS)
        if port.name in rows:
            (name, bits, signed), group = rows[port.name]
            if name not in done:
                done.add(name)
                names = tuple(each for _, each in group)
                made.append(Slot(name, names, bits, signed, len(names), static=static))
        elif port.parts and port.count == 1:
            made += [
                Slot(part.name, (port.name,), part.bits, part.signed, 1, part.lsb, static=static)
                for part in port.parts
            ]
        else:
            name = port.name.rpartition(".")[2]
            made.append(
                Slot(name, (port.name,), port.bits, port.signed, port.count, 0, port.unpacked,
                     static, port.sizes)
            )  # fmt: skip
    return made


def _counts(size: int) -> tuple[list[int], list[int]]:
    return list(range(size)), list(range(1, size + 1))
