"""Proofs over time: a scoreboard's ``ok`` holds in every cycle after a reset, by induction.

``rtl_tb/formal/<module>_formal.sv`` holds a module and its scoreboard. Base: whatever the
registers hold, ``ok`` is true in the cycle after one with ``rst``. Step: if it is true in a cycle,
it is in the next one. Where ``ok`` alone does not carry the step, an invariant about the module's
memory is proved with it. What fails the step may be a state that no run reaches: then it is *not
proven*.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import z3

from qsim.cosim.job_lookup import unit
from qsim.cosim.wrapper import RTL, RTL_TB
from qsim.errors import UsageError
from qsim.formal import yosys
from qsim.formal.goal import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qsim.formal.goal import Status
    from qsim.target import Target

# In SMT-LIB, over a state {s}: a value that is known is what the memory holds.
_LOOKUP_INVARIANT: Final = """(or (not (|top_n known| {s}))
 (= (select (|top_m dut.entries| {s}) (|top_n watched| {s})) (|top_n value| {s})))"""
MACHINES: Final = ("lookup", "stream_register")
INVARIANTS: Final[Mapping[str, str]] = {"lookup": _LOOKUP_INVARIANT}


@dataclass(frozen=True)
class Machine:
    """A module with its scoreboard.

    Attributes:
        module: stem of the shipped module; its scoreboard is ``<module>_formal``.
        sources: the module's files.
        parameters: of both.
    """

    module: str
    sources: tuple[Path, ...]
    parameters: Mapping[str, int]


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
    if module == "lookup":
        parameters = unit(target.input.format, target.output.format).parameters
    else:
        parameters = {"WIDTH": target.output.bits}
    return Machine(module, (path,), parameters)


def prove(machine: Machine, timeout: float) -> list[Verdict]:
    """Prove base and step.

    Args:
        machine: what is proved.
        timeout: seconds for each of them.

    Raises:
        FileFormatError: yosys refuses a file.
        MissingToolError: no yosys or no z3.
    """
    name = f"{machine.module}_formal"
    sources = (*machine.sources, RTL_TB / "formal" / f"{name}.sv")
    text = yosys.smt2(sources, name, machine.parameters, ("memory -nomap -nordff", "opt_clean"))
    extra = INVARIANTS.get(machine.module)
    return [
        _decide(goal, text, [given, f"(not {_holds('s1', extra)})"], timeout)
        for goal, given in (
            ("ok in the cycle after a reset", _after_reset(machine.module)),
            ("ok in a cycle after one with ok", _holds("s0", extra)),
        )
    ]


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
