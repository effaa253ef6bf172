"""Mutants of one elaboration: a netlist in which a port chooses what is changed, if anything."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qsim.cosim.simulators import RTL, Design
from qsim.formal import yosys

if TYPE_CHECKING:
    from qsim.cosim.jobs import Unit

SELECT: Final = 8  # bits of the port that chooses: 255 mutants at most

# The low byte of the bench's seed chooses the mutant; 0 is the module as it is.
_WRAPPER: Final = """\
module qsim_dut (
    input  logic clk,
    input  logic rst,
    input  logic s_axis_tvalid,
    output logic s_axis_tready,
    input  logic [{s}:0] s_axis_tdata,
    input  logic s_axis_tlast,
    output logic m_axis_tvalid,
    input  logic m_axis_tready,
    output logic [{m}:0] m_axis_tdata,
    output logic m_axis_tlast
);
  reg [31:0] seed;
  initial if (!$value$plusargs("seed=%d", seed)) seed = 0;
  mutant unit (
      .clk(clk),
      .rst(rst),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .s_axis_tdata(s_axis_tdata),
      .s_axis_tlast(s_axis_tlast),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tlast(m_axis_tlast),
      .mutsel(seed[{select}:0])
  );
endmodule
"""


@dataclass(frozen=True)
class Mutants:
    """A netlist and its mutants.

    Attributes:
        unit: what was mutated.
        verilog: module ``mutant``, with the port ``mutsel``.
        changes: what each mutant changes, in yosys' words; mutant i + 1 is entry i.
    """

    unit: Unit
    verilog: str
    changes: tuple[str, ...]

    def design(self, folder: Path) -> Design:
        """Write the netlist into a folder; return what a bench drives."""
        path = folder / f"{self.unit.module}_mutants.v"
        path.write_text(self.verilog, encoding="utf-8")
        widths = self.unit.inputs.width, self.unit.outputs.width
        text = _WRAPPER.format(s=widths[0] - 1, m=widths[1] - 1, select=SELECT - 1)
        return Design(text, (path,), *widths)


def mutants(unit: Unit, count: int, seed: int) -> Mutants:
    """Return mutants of a module: bits inverted, stuck, or exchanged with others.

    Args:
        unit: the module and its parameters.
        count: how many, at most 255.
        seed: of their choice.
    """
    if not 1 <= count < 1 << SELECT:
        raise ValueError(f"count must be 1..{(1 << SELECT) - 1}, not {count}")
    values = " ".join(f"-set {name} {value}" for name, value in unit.parameters.items())
    with tempfile.TemporaryDirectory(prefix="qsim-mutation-") as name:
        folder = Path(name)
        script = yosys.place([RTL / source for source in unit.sources], folder)
        script += [f"chparam {values} {unit.module}"]
        script += [f"hierarchy -check -top {unit.module}", "proc", "flatten"]
        script += ["opt_clean", "memory -nomap", "opt_clean", "rename -top mutant"]
        listed = f"mutate -list {count} -seed {seed} -o list.txt"
        yosys.run([*script, "write_rtlil plain.il", listed], folder)
        lines = (folder / "list.txt").read_text(encoding="utf-8").splitlines()
        changes = tuple(line.removeprefix("mutate ") for line in lines if line)
        script = ["read_rtlil plain.il"]
        script += [
            f"mutate -ctrl mutsel {SELECT} {index} {change}"
            for index, change in enumerate(changes, 1)
        ]
        yosys.run([*script, "write_verilog -norename -noattr out.v"], folder)
        return Mutants(unit, (folder / "out.v").read_text(encoding="utf-8"), changes)
