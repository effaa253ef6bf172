"""What a module declares, by a look at its text: to name ports and parameters in errors.

No parser of SystemVerilog: comments are dropped, the module's text is found, and declarations are
read word by word. What macros or generate blocks declare is not seen; compilers have the last word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qsim import files
from qsim.errors import FileFormatError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cosim.dut.binding import Dut

MOST_BYTES: Final = 1 << 26  # of a source
_COMMENTS: Final = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
# Their inputs and outputs are no ports of the module; what is imported has no end.
_IMPORTS: Final = re.compile(r"\b(?:import|export|extern)\b[^;]*;")
_INNER: Final = re.compile(r"\b(function|task|clocking)\b.*?\bend\1\b", re.DOTALL)
_RANGES: Final = re.compile(r"\[[^\[\]]*\]")
_WORDS: Final = re.compile(r"[A-Za-z_][\w$]*|[^\s\w]|\d[\w']*")
_TYPES: Final = frozenset(
    ["wire", "reg", "logic", "bit", "tri", "var", "signed", "unsigned", "integer", "int", "real"]
)
_ENDS: Final = frozenset([";", ")", "input", "output", "inout", "parameter", "localparam", "#"])


@dataclass(frozen=True, slots=True)
class Declared:
    """Names that a module declares."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: tuple[str, ...]


def modules(dut: Dut) -> dict[str, str]:
    """Return the text of every module in the sources, without comments, by name."""
    found = {}
    for source in dut.sources:
        text = _COMMENTS.sub(" ", _text(source))
        for match in re.finditer(
            r"\bmodule\s+(?:automatic\s+)?(\w+)(.*?)\bendmodule\b", text, re.S
        ):
            found[match[1]] = match[2]
    return found


def _text(source: Path) -> str:
    try:
        return files.read(source, MOST_BYTES, "a SystemVerilog file").decode("utf-8", "replace")
    except FileFormatError as error:
        raise UsageError.placed(error, error.where) from None


def declared(dut: Dut) -> Declared | None:
    """Return what the top module declares; None where its text is not found."""
    text = modules(dut).get(dut.top)
    if text is None:
        return None
    text = _INNER.sub(" ", _IMPORTS.sub(" ", text))
    while _RANGES.search(text):
        text = _RANGES.sub(" ", text)
    words = _WORDS.findall(text)
    names: dict[str, list[str]] = {"input": [], "output": [], "inout": [], "parameter": []}
    for index, word in enumerate(words):
        if word in names:
            names[word] += _names(words[index + 1 :])
    return Declared(
        tuple(dict.fromkeys(names["input"])),
        tuple(dict.fromkeys(names["output"])),
        tuple(dict.fromkeys(names["parameter"])),
    )


def _names(words: list[str]) -> list[str]:
    """Return the names of one declaration: the word before each comma, equals sign or end."""
    names, depth, candidate, in_value = [], 0, "", False
    for word in words:
        if depth == 0 and word in _ENDS:
            break
        depth += (word in "({") - (word in ")}")
        if depth:
            continue
        if word == ",":
            if candidate and not in_value:
                names.append(candidate)
            candidate, in_value = "", False
        elif word == "=" and not in_value:
            names.append(candidate)
            in_value = True
        elif not in_value and word not in _TYPES and re.fullmatch(r"[A-Za-z_][\w$]*", word):
            candidate = word
    if candidate and not in_value:
        names.append(candidate)
    return names


def require_ports(dut: Dut) -> None:
    """Require that no input of the module is left open, and that it has its parameters.

    An open input reads as z on one simulator and as 0 on another; an unknown parameter is no error
    to Icarus.

    Raises:
        UsageError: an input that nothing drives, or a parameter that the module does not declare.
    """
    found = declared(dut)
    if found is None:
        return
    for name in dut.parameters:
        if name not in found.parameters:
            raise UsageError(
                f"parameter {name!r} is not a parameter of module {dut.top}",
                where=f"{dut.where}: parameters.{name}",
                accepted=", ".join(found.parameters) or "no parameters",
            )
    driven = {port for binding in dut.operands.values() for port in binding.ports}
    for stream in dut.streams():
        driven |= {stream.valid, stream.last}
    driven |= {dut.clock, *dut.clocks, dut.reset, *dut.tie, *dut.interfaces, dut.output.ready}
    driven = {name for name in driven if name and "." not in name}
    if not driven <= set(found.inputs):
        return  # a wrong name, which the compiler tells, or ports that a look does not find
    for name in found.inputs:
        if name not in driven:
            raise UsageError(
                f"nothing drives the input {name!r} of module {dut.top}",
                where=dut.where,
                accepted="an operand, a port of the handshake or a tie for every input",
            )
