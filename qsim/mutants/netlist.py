"""Mutants of one elaboration: a netlist in which a port chooses what is changed, if anything."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SELECT: Final = 10  # bits of the port that chooses
MOST: Final = (1 << SELECT) - 1
PORT: Final = "mutsel"
# Constants where a memory is read without a clock: yosys ends if they are nets.
_UNCHANGED: Final = re.compile(r"-port RD_(ARST|SRST|CLK|EN)\b")
# A bench's seed chooses the mutant; 0 is the module as it is.
CHOICE: Final = """\
  reg [31:0] seed;
  initial if (!$value$plusargs("seed=%d", seed)) seed = 0;
"""
_OUTPUT: Final = re.compile(r"-cell (\S+) -port Q -portbit (\d+)")


@dataclass(frozen=True)
class Port:
    """A port of the module: its direction (input, output, inout), its bits, the lowest index."""

    name: str
    direction: str
    bits: int

    @property
    def declared(self) -> str:
        """Its declaration."""
        return f"{self.direction} wire [{self.bits - 1}:0] {self.name}"


@dataclass(frozen=True)
class Mutants:
    """A netlist and its mutants.

    Attributes:
        module: its name in the netlist.
        verilog: the netlist: the module with one port more, ``mutsel``.
        changes: what each mutant changes, in yosys' words; mutant i + 1 is entry i.
        ports: of the module, without ``mutsel``.
        plain_clocks: whether every register is clocked by an input, and none is a latch.
    """

    module: str
    verilog: str
    changes: tuple[str, ...]
    ports: tuple[Port, ...]
    plain_clocks: bool


def mutants(
    run: Callable[[Sequence[str]], str],
    folder: Path,
    names: Callable[[str], str],
    elaborate: Sequence[str],
    module: str,
    count: int,
    seed: int,
) -> Mutants:
    """Return mutants of a module: bits inverted, stuck, or exchanged with others.

    Args:
        run: runs yosys commands.
        folder: where they may write.
        names: gives what yosys calls a file of this folder.
        elaborate: commands that read a design and find its top.
        module: what the netlist's module is to be called.
        count: how many, at most ``MOST``; fewer where the module has fewer places.
        seed: of their choice.

    Raises:
        MissingToolError: yosys is not installed.
        FileFormatError: yosys refuses a file.
        UsageError: a count out of range, or a module without anything to change.
    """
    if not 1 <= count <= MOST:
        raise UsageError(f"{count} mutants cannot be made", accepted=f"1..{MOST}")
    plain, ports, listed, netlist = map(names, ("plain.il", "ports.json", "list.txt", "out.v"))
    script = [*elaborate, "proc", "flatten", "opt_clean", "memory -nomap", "opt_clean"]
    script += [f"rename -top {module}", f"write_rtlil {plain}"]
    run([*script, f"write_json {ports}"])
    document = json.loads((folder / "ports.json").read_text(encoding="utf-8"))
    top = document["modules"][module]
    kept = _begun(top)
    changes: tuple[str, ...] = ()
    for asked in (count, 4 * count):
        run([f"read_rtlil {plain}", f"mutate -list {asked} -seed {seed} -o {listed}"])
        lines = (folder / "list.txt").read_text(encoding="utf-8").splitlines()
        found = [line.removeprefix("mutate ") for line in lines if line]
        possible = (line for line in found if not (_UNCHANGED.search(line) or _place(line) in kept))
        changes = tuple(possible)[:count]
        if len(changes) == count or len(found) < asked:
            break
    if not changes:
        raise UsageError(f"there is nothing to change in {module}: it has no cells")
    script = [f"read_rtlil {plain}"]
    script += [
        f"mutate -ctrl {PORT} {SELECT} {index} {change}" for index, change in enumerate(changes, 1)
    ]
    # A case becomes a function of its cell's name, which Icarus takes for one of the system's.
    script.append("rename -enumerate -pattern qsim_case_% t:$pmux")
    run([*script, f"write_verilog -norename -noattr {netlist}"])
    netlist_text = (folder / "out.v").read_text(encoding="utf-8")
    return Mutants(module, netlist_text, changes, _ports(top["ports"]), _plain_clocks(top))


def _place(change: str) -> tuple[str, str]:
    """Return the cell and the bit of its output Q that a change is of; empty of another port."""
    found = _OUTPUT.search(change)
    return (found[1], found[2]) if found else ("", "")


def _begun(top: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return the registers' outputs that begin with a value: behind a change it would be lost."""
    begun = {
        bit
        for net in top["netnames"].values()
        for bit, value in zip(
            net["bits"], reversed(net["attributes"].get("init", "")), strict=False
        )
        if value in "01"
    }
    return {
        (name if name.startswith("$") else f"\\{name}", str(index))
        for name, cell in top["cells"].items()
        for index, bit in enumerate(cell["connections"].get("Q", ()))
        if bit in begun
    }


def _ports(ports: Mapping[str, Any]) -> tuple[Port, ...]:
    return tuple(Port(name, p["direction"], len(p["bits"])) for name, p in ports.items())


def _plain_clocks(top: Mapping[str, Any]) -> bool:
    inputs = {bit for p in top["ports"].values() if p["direction"] == "input" for bit in p["bits"]}
    for cell in top["cells"].values():
        if any(word in cell["type"] for word in ("latch", "$sr", "$ff")):
            return False
        clocks = [b for end in ("", "RD_", "WR_") for b in cell["connections"].get(f"{end}CLK", ())]
        if any(isinstance(bit, int) and bit not in inputs for bit in clocks):
            return False
    return True


def instance(made: Mutants, name: str, choice: str) -> str:
    """Return the instance of a netlist, its ports connected to nets of their names."""
    connected = ", ".join(f".{port.name}({port.name})" for port in made.ports)
    return f"  {made.module} {name} ({connected}, .{PORT}({choice}));\n"
