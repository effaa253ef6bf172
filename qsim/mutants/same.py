"""Is a mutant the same module after all? Proved by yosys, register by register."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from qsim.atomic import scratch
from qsim.errors import FileFormatError
from qsim.formal import yosys
from qsim.mutants.netlist import SELECT, instance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.mutants.netlist import Mutants

PROOF_SECONDS: Final = 60


def same_functions(made: Mutants, mutant: int, held: Mapping[str, str]) -> bool:
    """Return whether every register and output is proved to be the same function.

    Args:
        made: the mutants.
        mutant: which one; 0 is the module.
        held: inputs of which bits are known, with the expression that they are connected to; in it
            an input has its own name, with ``_free`` behind.
    """
    text = "".join(_alone(made, name, number, held) for name, number in _pair(mutant))
    script = ["read_verilog -sv pair.v", "hierarchy", "proc", "flatten", "memory_map"]
    script += ["opt -full", "dffunmap", "opt_clean"]
    script += ["equiv_make gold gate same", "cd same", "equiv_struct -icells", "opt_clean"]
    script += ["equiv_simple", "equiv_induct -seq 1", "equiv_status -assert"]
    with scratch("mutation") as folder:
        (folder / "pair.v").write_text(made.verilog + text, encoding="utf-8")
        try:
            log = yosys.run(script, folder, PROOF_SECONDS)
        except (FileFormatError, subprocess.TimeoutExpired):
            return False
    return "Equivalence successfully proven!" in log


def _pair(mutant: int) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("gold", 0), ("gate", mutant)


def _alone(made: Mutants, name: str, mutant: int, held: Mapping[str, str]) -> str:
    """Return one of the two modules that are compared."""
    ports, lines = [], []
    for port in made.ports:
        if port.name in held:
            ports.append(f"input wire [{port.bits - 1}:0] {port.name}_free")
            lines.append(f"  wire [{port.bits - 1}:0] {port.name} = {held[port.name]};\n")
        else:
            ports.append(port.declared)
    head = f"module {name} ({', '.join(ports)});\n"
    return head + "".join(lines) + instance(made, "unit", f"{SELECT}'d{mutant}") + "endmodule\n"
