"""Signals of our own, put into a value change dump (IEEE 1364, clause 18) beside the design's.

The dump is read line by line: only its header, its time stamps and the codes of its variables
matter here, and every line of it is kept as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SECONDS: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15}
_SCALE: Final = re.compile(r"\$timescale\s+(1|10|100)\s*(s|ms|us|ns|ps|fs)\s+\$end")
_VARIABLE: Final = re.compile(r"\$var\s+\S+\s+\d+\s+(\S+)\s")


@dataclass(frozen=True, slots=True)
class Signal:
    """A variable of the dump.

    Attributes:
        scope: names of the scopes that it lies in, the outermost first.
        name: an identifier.
        bits: its width.
        changes: (time in ns, binary digits with x or z), ascending.
    """

    scope: tuple[str, ...]
    name: str
    bits: int
    changes: list[tuple[int, str]] = field(default_factory=list)

    def show(self, time: int, digits: str) -> None:
        """Hold a value from a time on."""
        if not self.changes or self.changes[-1][1] != digits:
            self.changes.append((time, digits))


def merged(lines: Iterable[str], signals: list[Signal]) -> Iterator[str]:
    """Yield the lines of a dump with further signals in it.

    What they hold before the dump begins is their first value; nothing is shown after its end.
    """
    source = iter(lines)
    header = []
    for line in source:
        if "$enddefinitions" in line:
            break
        header.append(line)
    else:
        yield from header  # it ends before it begins
        return
    text = "".join(header)
    codes = _codes(set(_VARIABLE.findall(text)), len(signals))
    yield from header
    yield from _declared(signals, codes)
    yield line
    yield from _body(source, _changes(signals, codes, _per_ns(text)))


def _per_ns(header: str) -> float:
    """Return how many units of a dump a nanosecond has."""
    found = _SCALE.search(header)
    if found is None:
        return 1.0
    return 10.0 ** (_SECONDS[found[2]] - 9) / int(found[1])


def _codes(taken: set[str], count: int) -> list[str]:
    """Return codes that no variable of the dump has."""
    prefix = "q"
    while any(code.startswith(prefix) for code in taken):
        prefix += "q"
    return [f"{prefix}{index}" for index in range(count)]


def _declared(signals: list[Signal], codes: list[str]) -> Iterator[str]:
    """Yield declarations; signals of one scope follow each other."""
    inside: tuple[str, ...] = ()
    for signal, code in zip(signals, codes, strict=True):
        common = 0
        while signal.scope[: common + 1] == inside[: common + 1] and common < len(inside):
            common += 1
        yield from ("$upscope $end\n" for _ in inside[common:])
        yield from (f"$scope module {name} $end\n" for name in signal.scope[common:])
        inside = signal.scope
        size = f" [{signal.bits - 1}:0]" if signal.bits > 1 else ""
        yield f"$var wire {signal.bits} {code} {signal.name}{size} $end\n"
    yield from ("$upscope $end\n" for _ in inside)


def _changes(signals: list[Signal], codes: list[str], per_ns: float) -> list[tuple[int, str]]:
    """Return (time in units of the dump, line) of every change, ascending."""
    found = []
    for signal, code in zip(signals, codes, strict=True):
        for time, digits in signal.changes:
            line = f"{digits}{code}\n" if signal.bits == 1 else f"b{digits} {code}\n"
            found.append((round(time * per_ns), line))
    return sorted(found, key=lambda change: change[0])


def _body(lines: Iterator[str], changes: list[tuple[int, str]]) -> Iterator[str]:
    at, first = 0, True
    for line in lines:
        if not line.startswith("#"):
            yield line
            continue
        now = int(line[1:])
        shown = -1
        while at < len(changes) and changes[at][0] < now:
            time, text = changes[at]
            if not first and time != shown:
                yield f"#{time}\n"
                shown = time
            elif first:
                break
            yield text
            at += 1
        yield line
        while at < len(changes) and changes[at][0] <= now:
            yield changes[at][1]
            at += 1
        first = False
