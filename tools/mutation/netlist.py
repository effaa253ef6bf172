"""Mutants of the repository's own modules, as benches drive them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qsim.atomic import scratch
from qsim.cosim.simulators import RTL, Design, design
from qsim.formal import yosys
from qsim.mutants import CHOICE, SELECT, Mutants, Same, instance
from qsim.mutants import mutants as made_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.cosim.jobs import Unit

MODULE = "mutant"  # in the netlist


@dataclass(frozen=True)
class UnitMutants:
    """Mutants of a unit.

    Attributes:
        unit: what was mutated.
        made: the netlist and its mutants.
    """

    unit: Unit
    made: Mutants
    _proofs: dict[int, Same] = field(default_factory=dict, compare=False)

    def proof(self, mask: int) -> Same:
        """Return what compares mutants with the module; ``mask``: the bits of a beat that vary."""
        return self._proofs.setdefault(mask, Same(self.made, masks={"s_axis_tdata": mask}))

    def design(self, folder: Path) -> Design:
        """Write the netlist into a folder; return what a bench drives."""
        path = folder / f"{self.unit.module}_mutants.v"
        path.write_text(self.made.verilog, encoding="utf-8")
        shipped = design(self.unit)
        ports = ",\n    ".join(port.declared for port in self.made.ports)
        text = f"module qsim_dut (\n    {ports}\n);\n{CHOICE}"
        text += instance(self.made, "unit", f"seed[{SELECT - 1}:0]") + "endmodule\n"
        return Design(text, (path,), shipped.input_width, shipped.output_width)


def mutants(unit: Unit, count: int, seed: int) -> UnitMutants:
    """Return mutants of a module: bits inverted, stuck, or exchanged with others.

    Args:
        unit: the module and its parameters.
        count: how many.
        seed: of their choice.
    """
    values = " ".join(f"-set {name} {value}" for name, value in unit.parameters.items())
    with scratch("mutation") as folder:
        script = yosys.place([RTL / source for source in unit.sources], folder)
        script += [f"chparam {values} {unit.module}", f"hierarchy -check -top {unit.module}"]

        def run(commands: Sequence[str]) -> str:
            return yosys.run(commands, folder)

        return UnitMutants(unit, made_of(run, folder, str, script, MODULE, count, seed))
