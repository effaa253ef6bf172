"""What compilers and simulations say of a design beside errors: warnings, each with its place."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.cosim.simulators.wrapper import RTL, RTL_TB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

WRAPPER: Final = "qsim_dut.sv"  # of every build
_OURS: Final = (RTL, RTL_TB / "bulk", RTL_TB / "dut", RTL_TB / "tb")
_COMPILERS: Final = (
    # Icarus: file:line: warning: message
    re.compile(r"^(?P<place>[^\s:][^:\n]*:\d+): warning: (?P<text>.+)$"),
    # Verilator: %Warning-KIND: file:line:column: message
    re.compile(
        r"^%Warning(?:-(?P<kind>\w+))?: (?P<place>[^\s:][^:\n]*:\d+(?::\d+)?): (?P<text>.+)$"
    ),
)
_MORE: Final = re.compile(r"^(?P<place>[^\s:][^:\n]*:\d+):\s+: (?P<text>.+)$")  # Icarus
# Where a design is in a bench is of no use to whoever wrote it.
_AROUND: Final = re.compile(r"\bqsim_\w+\.(?:\w+\.)*?(?:theirs\.|(theirs\b))")
_SIMULATIONS: Final = (
    # vvp: WARNING: file:line: message
    re.compile(r"^(?:WARNING|ERROR): (?P<place>[^\s:][^:\n]*:\d+): (?P<text>.+)$"),
    # Verilator: [time] %Warning: file:line: message; 0 is the line of a memory file as a whole.
    re.compile(
        r"^(?:\[\d+\] )?%(?:Warning|Error)(?:-\w+)?: (?P<place>[^\s:][^:\n]*:\d+): (?P<text>.+)$"
    ),
)


@dataclass(frozen=True, slots=True)
class Message:
    """A warning.

    Attributes:
        place: file, line and maybe column, separated by colons.
        text: one line.
    """

    place: str
    text: str

    @property
    def of_wrapper(self) -> bool:
        """Whether it is about what lies around somebody else's module."""
        return self.place.startswith(f"{WRAPPER}:")

    def line(self) -> str:
        """Return the message with its place, from the current directory if it is below that."""
        place = self.place.removesuffix(":0")
        path = os.path.relpath(place) if place.startswith("/") else place
        return f"{place if path.startswith('..') else path}: {self.text}"


def compiled(text: str, folder: Path) -> list[Message]:
    """Return the warnings of a compiler: those about a design, and those about its wrapper.

    Args:
        text: what it said.
        folder: in which it compiled.
    """
    found: list[Message] = []
    for line in text.splitlines():
        more = _MORE.match(line)
        if more and found and found[-1].place == _normal(more["place"], folder):
            found[-1] = Message(found[-1].place, f"{found[-1].text} {more['text']}")
        found += _matched(_COMPILERS, line, folder)
    return _wanted(found)


def simulated(text: str) -> list[Message]:
    """Return what a simulation says of a design: missing memory files, $warning, $error."""
    found = [each for line in text.splitlines() for each in _matched(_SIMULATIONS, line, None)]
    return _wanted(found)


def _matched(patterns: Iterable[re.Pattern[str]], line: str, folder: Path | None) -> list[Message]:
    for pattern in patterns:
        match = pattern.match(line)
        if match:
            groups = match.groupdict()
            kind = f" ({groups['kind']})" if groups.get("kind") else ""
            text = _AROUND.sub(r"\1", match["text"].strip())
            return [Message(_normal(match["place"], folder), text[:400] + kind)]
    return []


def _normal(place: str, folder: Path | None) -> str:
    path, _, rest = place.partition(":")
    if folder is not None:
        path = os.path.normpath(path).removeprefix(f"{folder}/")
    return f"{path}:{rest}"


def _wanted(found: Sequence[Message]) -> list[Message]:
    ours = tuple(f"{folder}/" for folder in _OURS)
    return [each for each in dict.fromkeys(found) if not each.place.startswith(ours)]


def dump(messages: Iterable[Message]) -> str:
    """Return messages as the text of a file."""
    return json.dumps([[each.place, each.text] for each in messages])


def parse(text: str) -> tuple[Message, ...]:
    """Return the messages of a file that :func:`dump` made."""
    document: Any = json.loads(text)
    return tuple(Message(str(place), str(said)) for place, said in document)
