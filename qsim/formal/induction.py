"""Proofs over time: a scoreboard's ``ok`` holds in every cycle after a reset, by induction.

``rtl_tb/formal/<module>_formal.sv`` holds a module and its scoreboard. Base: whatever the
registers hold, ``ok`` is true in the cycle after one with ``rst``. Step: if it is true in a cycle,
it is in the next one. Where ``ok`` alone does not carry the step, an invariant about the module's
memory is proved with it. What fails the step may be a state that no run reaches: so a run from a
reset is looked for (``unroll.py``), and without one it is *not proven*.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import z3

from qsim.cosim.jobs import lookup
from qsim.cosim.simulators import RTL, RTL_TB
from qsim.errors import UsageError
from qsim.formal import yosys
from qsim.formal.goal import Verdict
from qsim.formal.lookup import loaded_in_order
from qsim.formal.unroll import first_failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hw_models.formats import FixedFormat
    from qsim.formal.goal import Status
    from qsim.target import Target

# In SMT-LIB, over a state {s}: a value that is known is what the memory holds.
_LOOKUP_INVARIANT: Final = """(or (not (|top_n known| {s}))
 (= (select (|top_m dut.entries| {s}) (|top_n watched| {s})) (|top_n value| {s})))"""
MACHINES: Final = ("lookup", "stream_register")
INVARIANTS: Final[Mapping[str, str]] = {"lookup": _LOOKUP_INVARIANT}
_STREAM: Final = "no beat is lost, repeated, changed or reordered; a beat that waits stays"
_CLAIMS: Final[Mapping[str, tuple[str, ...]]] = {
    "lookup": (
        _STREAM,
        "a read returns what was last loaded at its address",
        "with entry i of any table at (smallest code + i) mod 2**IN_W, that is hw_models.lookup",
    ),
    "stream_register": (_STREAM,),
}


@dataclass(frozen=True)
class Machine:
    """A module with its scoreboard.

    Attributes:
        module: stem of the shipped module; its scoreboard is ``<module>_formal``.
        sources: the module's files.
        parameters: of both.
        codes, output: the formats of what comes in and goes out.
    """

    module: str
    sources: tuple[Path, ...]
    parameters: Mapping[str, int]
    codes: FixedFormat
    output: FixedFormat

    @property
    def claims(self) -> tuple[str, ...]:
        """What is proved, in words."""
        return _CLAIMS[self.module]


def machine(module: str, target: Target, rtl: Path | None = None) -> Machine:
    """Return a module of ``MACHINES`` with the widths of a target.

    Args:
        module: its name.
        target: states the widths.
        rtl: a folder or a file that replaces the shipped module.

    Raises:
        UsageError: ``rtl`` holds no file of this name.
    """
    name = f"{module}.sv"
    path = RTL / name if rtl is None else rtl / name if rtl.is_dir() else rtl
    if path.name != name or not path.is_file():
        raise UsageError(f"{rtl} is no {name}", where="--rtl", accepted=f"{name}, or its folder")
    match module:
        case "lookup":
            parameters = lookup.unit(target.input.format, target.output.format).parameters
        case "stream_register":
            parameters = {"WIDTH": target.output.bits}
        case _:
            raise UsageError(f"no proof over time of {module!r}", accepted=", ".join(MACHINES))
    return Machine(module, (path,), parameters, target.input.format, target.output.format)


def induct(machine: Machine, timeout: float) -> list[Verdict]:
    """Prove base and step; of lookup also that memory addresses are the definition's.

    Args:
        machine: what is proved.
        timeout: seconds for each query to the solver.

    Raises:
        FileFormatError: yosys refuses a file.
        MissingToolError: no yosys or no z3.
    """
    name = f"{machine.module}_formal"
    sources = (*machine.sources, RTL_TB / "formal" / f"{name}.sv")
    text = yosys.smt2(sources, name, machine.parameters, ("memory -nomap -nordff", "opt_clean"))
    extra, reset = INVARIANTS.get(machine.module), _after_reset(machine.module)
    verdicts = [
        _decide(goal, text, [given, f"(not {_holds('s1', extra)})"], timeout)
        for goal, given in (
            ("ok in the cycle after a reset", reset),
            ("ok in a cycle after one with ok", _holds("s0", extra)),
        )
    ]
    if any(verdict.status != "proven" for verdict in verdicts):
        cycles = first_failure(text, reset, timeout)
        if cycles is not None:
            return [_failed(verdict, cycles) for verdict in verdicts]
    if machine.module == "lookup":
        verdicts.append(loaded_in_order(machine.codes, machine.output, timeout))
    return verdicts


def _failed(verdict: Verdict, cycles: tuple[Mapping[str, int], ...]) -> Verdict:
    """Return the verdict with a run that refutes it, unless it is proven."""
    if verdict.status == "proven":
        return verdict
    return replace(verdict, status="counterexample", cycles=cycles)


def _after_reset(module: str) -> str:
    fresh = " (not (|top_n known| s0))" if module == "lookup" else ""
    return f"(and (|top_n rst| s0){fresh})"


def _holds(state: str, extra: str | None) -> str:
    ok = f"(|top_n ok| {state})"
    return ok if extra is None else f"(and {ok} {extra.format(s=state)})"


def _decide(goal: str, text: str, facts: list[str], timeout: float) -> Verdict:
    start = time.perf_counter()
    lines = [text, "(declare-const s0 |top_s|)", "(declare-const s1 |top_s|)"]
    lines += [f"(assert {fact})" for fact in ("(|top_t| s0 s1)", *facts)]
    solver: Any = z3.Solver()
    solver.set("timeout", max(int(timeout * 1000), 1))
    solver.add(z3.parse_smt2_string("\n".join(lines)))
    status = solver.check()
    word: Status = "proven" if status == z3.unsat else "not proven"
    return Verdict(goal, word, time.perf_counter() - start)
