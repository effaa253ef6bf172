"""What a mutant changes, in words: yosys says it in options of its command ``mutate``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_OPTION: Final = re.compile(r"-(\w+) (\S+)")
_OPERATORS: Final = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "pow": "**", "neg": "-",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "not": "~",
    "shl": "<<", "sshl": "<<<", "shr": ">>", "sshr": ">>>", "shift": "[+:]", "shiftx": "[+:]",
    "and": "&", "or": "|", "xor": "^", "xnor": "~^", "mux": "?:", "pmux": "case",
    "logic_and": "&&", "logic_or": "||", "logic_not": "!", "reduce_and": "&",
    "reduce_or": "|", "reduce_bool": "!= 0", "reduce_xor": "^",
}  # fmt: skip
_REGISTERS: Final = re.compile(r"\$(proc)?(s|a|al)?dffe?\b|\$procdff")


@dataclass(frozen=True)
class Change:
    """One mutation.

    Attributes:
        mode: of yosys: inv, const0, const1, cnot0, cnot1, none.
        cell: what was changed: an operator, ``register`` or the type of the cell.
        place: its input or output, with the bit.
        signal: the net there, where it has a name.
        source: file and line, as the design's own; empty where yosys does not know.
        control: for cnot: the bit that the change depends on.
    """

    mode: str
    cell: str
    place: str
    signal: str
    source: str
    control: str

    def __str__(self) -> str:
        where = f"{self.source}: " if self.source else ""
        what = f"{self.place} of {self.cell}"
        if self.signal:
            what += f" ({self.signal})"
        match self.mode:
            case "inv":
                return f"{where}{what} inverted"
            case "const0" | "const1":
                return f"{where}{what} stuck at {self.mode[-1]}"
            case "cnot0" | "cnot1":
                return f"{where}{what} inverted where {self.control} is {self.mode[-1]}"
            case _:
                return f"{where}{what} changed ({self.mode})"


def change(text: str) -> Change:
    """Return a change that ``mutate -list`` wrote."""
    options = dict(_OPTION.findall(text))
    cell = options.get("cell", "").removeprefix("\\")
    port, bit = options.get("port", "?"), options.get("portbit", "?")
    control = f"its bit {options['ctrlbit']}" if "ctrlbit" in options else ""
    wire = options.get("wire", "")
    signal = f"{wire[1:]}[{options.get('wirebit', '?')}]" if wire.startswith("\\") else ""
    place = f"bit {bit} of {'output' if port in ('Y', 'Q', 'RD_DATA') else 'input'} {port}"
    return Change(options.get("mode", "?"), _kind(cell), place, signal, _line(options), control)


def _kind(cell: str) -> str:
    if _REGISTERS.match(cell):
        return "a register"
    found = re.match(r"\$(?:proc)?(\w+?)\$", cell)
    name = found[1] if found else cell
    operator = _OPERATORS.get(name)
    return f"operator {operator}" if operator else f"cell {name}"


def _line(options: dict[str, str]) -> str:
    """Return ``file:line`` of the first place in a source attribute."""
    found = re.match(r"(.+?):(\d+)", options.get("src", "").split("|")[0])
    return f"{found[1]}:{found[2]}" if found else ""
