"""A design as SMT-LIB, and what of it proofs cannot follow: latches, other clocks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.atomic import scratch
from qsim.cosim.dut import bare
from qsim.errors import UsageError
from qsim.formal.designs.reading import Reading
from qsim.formal.undefined import undefined_as_x

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Unit

_TOP: Final = "qsim_proof"
_LATCHES: Final = ("latch", "$sr", "$ff")
_RISING: Final = "1"


@dataclass(frozen=True)
class Netlist:
    """A design without streams around it (``qsim.cosim.dut.bare``), elaborated.

    Attributes:
        smt2: as ``write_smt2`` makes it.
        registered: whether it has registers or memories.
    """

    smt2: str
    registered: bool


def netlist(dut: Dut, unit: Unit) -> Netlist:
    """Return a design as proofs read it. Nothing is optimized: products keep their operands.

    Raises:
        MissingToolError: yosys is not installed.
        FileFormatError: yosys refuses a file.
        UsageError: the design does not fit the unit, has latches, or registers of another clock.
    """
    with scratch("prove") as folder:
        reading = Reading(dut, folder.resolve())
        smt2, cells = (reading.path(name) for name in ("out.smt2", "out.json"))
        reading.run(
            [
                *reading.read(bare(dut, unit, _TOP)),
                f"hierarchy -check -top {_TOP}",
                "rename -top top",
                "proc -noopt",
                "flatten",
                "opt_clean",
                "memory -nomap -nordff",
                *undefined_as_x(folder, reading.path),
                "memory_map -rom-only",
                "opt_clean",
                f"write_json {cells}",
                "async2sync",
                "dffunmap",
                "setundef -undriven -anyseq",
                f"write_smt2 -wires {smt2}",
            ]
        )
        top = json.loads((folder / "out.json").read_text(encoding="utf-8"))["modules"]["top"]
        clocked = list(_clocked(top))
        for where, why in clocked:
            if why:
                raise UsageError(
                    f"{why} ({where})",
                    where=dut.where,
                    accepted=f"registers of the rising edge of {dut.clock or 'one clock'}",
                )
        return Netlist((folder / "out.smt2").read_text(encoding="utf-8"), bool(clocked))


def _clocked(top: Any) -> Iterator[tuple[str, str]]:
    """Yield (source line, what proofs cannot follow) of everything that holds state."""
    clock = top["ports"]["clk"]["bits"][0]
    for name, cell in top["cells"].items():
        kind, parameters = cell["type"], cell["parameters"]
        where = cell["attributes"].get("src", name)
        if any(word in kind for word in _LATCHES):
            yield where, "proofs know no latches"
            continue
        for end in ("", "RD_", "WR_"):
            clocks = cell["connections"].get(f"{end}CLK")
            if clocks is None:
                continue
            enabled = parameters.get(f"{end}CLK_ENABLE", _RISING * len(clocks))[::-1]
            rising = parameters.get(f"{end}CLK_POLARITY", _RISING)[::-1]
            for bit, on, edge in zip(clocks, enabled, rising, strict=False):
                if on == _RISING:
                    wrong = bit != clock or edge != _RISING
                    yield where, "a register has another clock" if wrong else ""
