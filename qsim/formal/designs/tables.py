"""A table of somebody else's: what is loaded at an address is read there, until it is loaded anew.

By induction, without a look at how the memory is built. A state *holds* an entry if a read of its
address, in any of the next few cycles, gives it while nothing else happens. Base: after a load the
read gives the entry, whatever the registers held and whatever follows. Step: in a state that holds
the entry, any cycle but a load of its address leaves it there, and each read in it gives the entry.
Then ``qsim.formal.lookup`` has the rest: addresses are those of the definition.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import z3

from qsim.cosim.dut import port_of
from qsim.cosim.jobs import lookup
from qsim.errors import UsageError
from qsim.formal.clocked import run
from qsim.formal.designs.encoding import encoded, expected_on, result_on, told
from qsim.formal.designs.machine import RESET, Machine
from qsim.formal.designs.netlist import netlist
from qsim.formal.designs.surroundings import plain, surroundings
from qsim.formal.designs.tasks import require_provable
from qsim.formal.goal import Verdict
from qsim.formal.lookup import loaded_in_order
from qsim.formal.vector import vector
from qsim.formal.words import wide
from qsim.program import format_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.dut import Dut
    from qsim.formal.goal import Status
    from qsim.golden import Case
    from qsim.target import Target

_AHEAD: Final = 3  # cycles within which a state that holds an entry gives it
_FIELDS: Final = ("load", "address", "value")


@dataclass(frozen=True)
class TableProof(Machine):
    """A table and the formats of its codes.

    Attributes:
        target: states the formats.
    """

    target: Target

    @property
    def claims(self) -> tuple[str, ...]:
        """What is proved, in words."""
        return (
            "a read gives what was last loaded at its address, whatever else is loaded and read",
            "with entry i of each table at (smallest code + i) mod 2**bits: hw_models.lookup",
        )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Those that the design is given."""
        return plain(self.dut)

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What else is assumed, as pairs of a word and what it says."""
        return surroundings(self.dut, registered=True)

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""
        return ()

    def verdicts(self, timeout: float) -> list[Verdict]:
        """Decide base, step and the order of addresses; ``timeout`` is seconds for each query."""
        address, entry = (self._constant(name) for name in ("address", "value"))
        load = self._operation({"load": _bit(1), "address": address, "value": entry})
        read = self._operation({"load": _bit(0), "address": address})
        other, elsewhere = self._other(address)
        held = self._holds([], read, entry, "")
        goals: tuple[tuple[str, list[Any], Any], ...] = (
            ("a load leaves its entry at its address", [], self._holds([load], read, entry, "'")),
            (
                "a read gives the entry, whatever follows",
                [held],
                self._gives([read], 0, entry, "'", {}),
            ),
            (
                "an entry stays until its address is loaded",
                [held, elsewhere],
                self._holds([other], read, entry, "'"),
            ),
        )
        found = [self._decide(name, facts, claim, timeout) for name, facts, claim in goals]
        if any(verdict.status != "proven" for verdict in found):
            refuted = self._refuted(timeout)
            if refuted is not None:
                return [*found, refuted]
        formats = self.target.input.format, self.target.output.format
        return [*found, loaded_in_order(*formats, timeout)]

    def case(self, found: Verdict) -> Case:
        """Return a counterexample as a golden vector: its entries in a table of zeros."""
        codes, output = self.target.input.format, self.target.output.format
        table = np.zeros(codes.max - codes.min + 1, output.dtype)
        for name in ("another ", ""):  # the entry in question, whatever the other one is
            address, entry = (found.values.get(f"{name}{end}") for end in ("address", "value"))
            if address is not None and entry is not None:
                sign = output.signed and entry >> (output.bits - 1)
                index = self._code(address) - codes.min
                if index < len(table):
                    table[index] = entry - (sign << output.bits)
        code = self._code(found.values["address"])
        expected = int(table[code - codes.min])
        attributes = {"table": {"constant": "table"}, "output": format_to_json(output)}
        case = vector("lookup", attributes, {"x": (code, codes)}, expected, output)
        return replace(case, constants={"table": table})

    def _code(self, address: int) -> int:
        """Return the code whose bits an address is."""
        codes = self.target.input.format
        sign = codes.signed and address >> (codes.bits - 1)
        return address - (sign << codes.bits)

    def _refuted(self, timeout: float) -> Verdict | None:
        """Return a short run from a reset that reads another entry than was loaded."""
        start = time.perf_counter()
        address, entry = (self._constant(name) for name in ("address", "value"))
        other, elsewhere = self._other(address)
        still = self._operation({"load": _bit(0)})
        cycles = [still | {"rst": _bit(int(bool(self.dut.reset)))}] * RESET
        cycles += [still, still]
        cycles.append(self._operation({"load": _bit(1), "address": address, "value": entry}))
        cycles += [other, self._operation({"load": _bit(0), "address": address})]
        initial = self.machine.initial
        made, wanted = self._sides(cycles, len(cycles) - 1, entry, "", still, initial)
        solver: Any = z3.Solver()
        solver.set("timeout", max(int(timeout * 1000), 1))
        solver.add(elsewhere, made != wanted)
        if solver.check() != z3.sat:
            return None
        model = solver.model()
        names = [*_FIELDS[1:], *(f"another {name}" for name in _FIELDS)]
        values = {}
        for name in names:
            term = self._constant(name.removeprefix("another "), name)
            values[name] = model.eval(term, model_completion=True).as_long()
        if not values.pop("another load"):
            values = {name: value for name, value in values.items() if "another" not in name}
        actual, expected = (
            model.eval(term, model_completion=True).as_signed_long() for term in (made, wanted)
        )
        return Verdict(
            "a load, another cycle, a read, after a reset", "counterexample",
            time.perf_counter() - start, 0, values, expected, actual,
        )  # fmt: skip

    def _constant(self, name: str, called: str = "") -> Any:
        bits = next(f.bits for f in self.unit.inputs.fields if f.name == name)
        return z3.BitVec(called or name, bits)

    def _operation(self, terms: Mapping[str, Any]) -> dict[str, Any]:
        """Return what lies at the ports of an operation."""
        found = {"rst": _bit(0), "in_0": _bit(1)}
        for name, term in terms.items():
            binding = self.dut.operands[name]
            found[port_of(name, 0)] = encoded(term, self.unit, name, binding)
        return found

    def _other(self, address: Any) -> tuple[dict[str, Any], Any]:
        """Return a cycle with anything, and that it does not load this address."""
        names = {name: self._constant(name, f"another {name}") for name in _FIELDS}
        cycle = self._operation(names)
        if not self.dut.input.valid:
            return cycle, z3.Or(names["load"] == 0, names["address"] != address)
        cycle["in_0"] = z3.BitVec("another valid", 1)
        return cycle, z3.Or(cycle["in_0"] == 0, names["load"] == 0, names["address"] != address)

    def _holds(self, before: list[dict[str, Any]], read: Any, entry: Any, name: str) -> Any:
        """Return that after some cycles the state holds an entry."""
        still = self._operation({"load": _bit(0)})
        return z3.And(
            [
                self._gives(
                    [*before, *[still] * wait, read], len(before) + wait, entry,
                    f"{name}{wait}", still,
                )
                for wait in range(_AHEAD)
            ]
        )  # fmt: skip

    def _gives(
        self, cycles: list[dict[str, Any]], at: int, entry: Any, name: str, rest: dict[str, Any]
    ) -> Any:
        """Return that the read in cycle ``at`` gives an entry; ``rest`` is what follows it."""
        made, wanted = self._sides(cycles, at, entry, name, rest)
        return made == wanted

    def _sides(
        self, cycles: list[dict[str, Any]], at: int, entry: Any, name: str, rest: dict[str, Any],
        start: Mapping[str, Any] | None = None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Return what the read in cycle ``at`` gives, and what it has to, as wide numbers."""
        start = self.fixed if start is None else start
        through = [*cycles, *[rest | {"rst": _bit(0)}] * self.dut.latency]
        *_, last = run(self.machine, through[: at + 1 + self.dut.latency], start, name)
        port, field = self.dut.results["y"], self.unit.outputs.fields[0]
        wanted = expected_on(wide(entry, field, max(port.bits, field.bits) + 1), field, port)
        return wide(last[port_of("y", 0)], result_on(field, port), wanted.size()), wanted

    def _decide(self, name: str, facts: list[Any], claim: Any, timeout: float) -> Verdict:
        start = time.perf_counter()
        solver: Any = z3.Solver()
        solver.set("timeout", max(int(timeout * 1000), 1))
        solver.add(*facts, z3.Not(claim))
        status = solver.check()
        word: Status = "proven" if status == z3.unsat else "not proven"
        note = "" if status != z3.sat else "wrong from a state that may be one of no run"
        return Verdict(name, word, time.perf_counter() - start, note=note)


def _bit(on: int) -> Any:
    return z3.BitVecVal(on, 1)


def table_proof(dut: Dut, target: Target) -> TableProof:
    """Return the proof of a table.

    Raises:
        MissingToolError: yosys is not installed.
        FileFormatError: yosys refuses a file.
        UsageError: the design is no table that is loaded, or nothing that proofs can follow.
    """
    require_provable(dut)
    for name in _FIELDS:
        if name not in dut.operands:
            raise UsageError(
                f"the proof of a table loads it, and there is no port for {name!r}",
                where=f"{dut.where}: operands",
                accepted=f"ports for {', '.join(_FIELDS)}",
            )
    if dut.lanes > 1 or dut.interval > 1:
        raise UsageError(
            "the proof of a table reads one code in each cycle",
            where=dut.where,
            accepted="lanes = 1, interval = 1",
        )
    unit = lookup.unit(target.input.format, target.output.format)
    for field in unit.inputs.fields:
        if less := told(field, dut.operands[field.name]):
            raise UsageError(
                f"the proof of a table loads all of it, and {less}",
                where=f"{dut.where}: operands.{field.name}",
                accepted=f"bits = {field.bits}, signed = {str(field.signed).lower()}",
            )
    return TableProof(dut, unit, netlist(dut, unit).smt2, target)
