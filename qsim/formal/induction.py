"""Proofs over time: a scoreboard's ``ok`` holds in every cycle after a reset, by induction.

``rtl_tb/formal/<module>_formal.sv`` holds a module and its scoreboard. Base: whatever the
registers hold, ``ok`` is true in the cycle after one with ``rst``. Step: if it is true in a cycle,
it is in the next one. Where ``ok`` alone does not carry the step, an invariant about the module's
memory is proved with it. What fails the step may be a state that no run reaches: so a run from a
reset is looked for (``unroll.py``), and without one it is *not proven*.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import z3

from qsim.cosim.jobs import lookup, move
from qsim.cosim.simulators import RTL, RTL_TB
from qsim.errors import UsageError
from qsim.formal import moves, yosys
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
MACHINES: Final = ("lookup", "stream_register", "move")
INVARIANTS: Final[Mapping[str, str]] = {"lookup": _LOOKUP_INVARIANT, "move": moves.INVARIANT}
# Of the first cycle, beside the reset.
_FRESH: Final[Mapping[str, str]] = {"lookup": "(not (|top_n known| s0))", "move": moves.FRESH}
_STREAM: Final = "no beat is lost, repeated, changed or reordered; a beat that waits stays"
_CLAIMS: Final[Mapping[str, tuple[str, ...]]] = {
    "lookup": (
        _STREAM,
        "a read returns what was last loaded at its address",
        "with entry i of any table at (smallest code + i) mod 2**IN_W, that is hw_models.lookup",
    ),
    "stream_register": (_STREAM,),
    "move": (
        "after START each result comes out once, in C order of its index, tlast with the last one",
        "it is the code last written at base + sum(k * stride); k is the index, or the position",
        "last written at it, along the gathered dimension",
        _STREAM,
        "all of this with the parameters above; addresses and counters with those of calls",
    ),
}


@dataclass(frozen=True)
class Machine:
    """A module with its scoreboard.

    Attributes:
        module: stem of the shipped module; its scoreboard is ``<module>_formal``.
        sources: the module's files.
        parameters: of both.
        codes, output: the formats of what comes in and goes out.
        widths: of a call of the target, where what is combinational is proved at its widths.
    """

    module: str
    sources: tuple[Path, ...]
    parameters: Mapping[str, int]
    codes: FixedFormat
    output: FixedFormat
    widths: Mapping[str, int] = field(default_factory=dict)

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
    sources = _sources(module, rtl)
    widths: Mapping[str, int] = {}
    match module:
        case "lookup":
            parameters = lookup.unit(target.input.format, target.output.format).parameters
        case "stream_register":
            parameters = {"WIDTH": target.output.bits}
        case "move":
            parameters, widths = moves.PARAMETERS, move.WIDTHS
        case _:
            raise UsageError(f"no proof over time of {module!r}", accepted=", ".join(MACHINES))
    return Machine(module, sources, parameters, target.input.format, target.output.format, widths)


def _sources(module: str, rtl: Path | None) -> tuple[Path, ...]:
    """Return a module's files: ``rtl``, or those of this folder, instead of shipped ones."""
    names = move.SOURCES if module == "move" else (f"{module}.sv",)
    shipped = [RTL / name for name in names]
    if rtl is None:
        return tuple(shipped)
    own = [rtl / name if rtl.is_dir() else rtl for name in names]
    chosen = [
        mine if mine.name == path.name and mine.is_file() else path
        for mine, path in zip(own, shipped, strict=True)
    ]
    if chosen == shipped:
        accepted = f"{', '.join(names)}, or its folder"
        raise UsageError(f"{rtl} is no {' or '.join(names)}", where="--rtl", accepted=accepted)
    return tuple(chosen)


def induct(machine: Machine, timeout: float) -> list[Verdict]:
    """Prove base and step; of lookup also that memory addresses are the definition's.

    Of move also its addresses and counters.

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
    if machine.module == "move":
        verdicts += moves.arithmetic(machine.sources, machine.widths, timeout)
    if machine.module == "lookup":
        verdicts.append(loaded_in_order(machine.codes, machine.output, timeout))
    return verdicts


def _failed(verdict: Verdict, cycles: tuple[Mapping[str, int], ...]) -> Verdict:
    """Return the verdict with a run that refutes it, unless it is proven."""
    if verdict.status == "proven":
        return verdict
    return replace(verdict, status="counterexample", cycles=cycles)


def _after_reset(module: str) -> str:
    return f"(and (|top_n rst| s0) {_FRESH.get(module, 'true')})"


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
