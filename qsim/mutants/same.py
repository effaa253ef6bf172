"""Is a mutant the same module after all? Decided by z3, register by register.

The netlist is one machine in which an input chooses the mutant. With the choice of the module and
with that of the mutant every output, and what every register and memory holds next, must be one
function of the inputs and of what registers hold now. Then no run tells them apart, from any state.

Products are taken as free numbers first: what does not lie in a multiplier does not depend on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from qsim.atomic import scratch
from qsim.formal import undefined_as_x, yosys
from qsim.mutants.netlist import PORT, SELECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.formal import Clocked
    from qsim.mutants.netlist import Mutants

PROOF_SECONDS: Final = 30  # for each query
_CLOCK: Final = re.compile(r"-port (\w*_)?CLK\b")


@dataclass
class Same:
    """The mutants of one module as terms.

    Attributes:
        made: the mutants.
        held: inputs of which bits are known: the bits that may be 1 (a mask), or what they are tied
            to (a value).
    """

    made: Mutants
    masks: Mapping[str, int] = field(default_factory=dict)
    ties: Mapping[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _machine: Clocked | None = None

    def same(self, mutant: int) -> bool:
        """Return whether a mutant is proved to be the module; 0 is the module itself."""
        if not self.made.plain_clocks or (
            0 < mutant <= len(self.made.changes) and _CLOCK.search(self.made.changes[mutant - 1])
        ):
            return False  # the terms know nothing of clocks
        with self._lock:  # z3 has one context
            return self._decide(mutant)

    def _decide(self, mutant: int) -> bool:
        import z3

        machine = self._read()
        held = [
            (z3.BitVec(name, bits), z3.BitVec(name, bits) & mask)
            for name, mask in self.masks.items()
            if (bits := machine.inputs.get(name, 0))
        ]
        held += [
            (z3.BitVec(name, bits), z3.BitVecVal(value, bits))
            for name, value in self.ties.items()
            if (bits := machine.inputs.get(name, 0))
        ]
        choice = z3.BitVec(PORT, SELECT)
        terms = [*machine.outputs.values(), *(after for _, after in machine.state)]
        sides = [
            [z3.simplify(z3.substitute(t, *held, (choice, z3.BitVecVal(n, SELECT)))) for t in terms]
            for n in (0, mutant)
        ]
        differ = [a != b for a, b in zip(*sides, strict=True) if not a.eq(b)]
        if not differ:
            return True
        claim = z3.Or(differ)
        arrays = any(z3.is_array(register) for register, _ in machine.state)
        return _never(_free_products(claim), arrays=arrays) or _never(claim, arrays=arrays)

    def _read(self) -> Clocked:
        if self._machine is None:
            from qsim.formal import read_clocked

            with scratch("mutation") as folder:
                (folder / "netlist.v").write_text(self.made.verilog, encoding="utf-8")
                script = ["read_verilog -sv netlist.v", f"hierarchy -check -top {self.made.module}"]
                script += ["rename -top top", "proc -noopt", "flatten", "opt_clean"]
                script += ["memory -nomap -nordff", *undefined_as_x(folder, str)]
                script += ["memory_map -rom-only", "opt_clean"]
                script += ["async2sync", "dffunmap", "setundef -undriven -anyseq"]
                yosys.run([*script, "write_smt2 -wires out.smt2"], folder)
                self._machine = read_clocked((folder / "out.smt2").read_text(encoding="utf-8"))
        return self._machine


def _never(claim: Any, *, arrays: bool) -> bool:
    import z3

    solver: Any = z3.Solver() if arrays else z3.SolverFor("QF_BV")
    solver.set("timeout", PROOF_SECONDS * 1000)
    solver.add(claim)
    return bool(solver.check() == z3.unsat)


def _free_products(claim: Any) -> Any:
    """Return a claim in which every product is a free number."""
    import z3

    from qsim.formal import products

    while (product := next(products(claim), None)) is not None:
        free = z3.FreshConst(product.sort(), "product")
        claim = z3.substitute(claim, (product, free))
    return claim
