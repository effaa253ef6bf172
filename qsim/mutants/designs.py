"""Mutants of somebody else's module, behind the wrapper that its ``dut.toml`` gives it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qsim.atomic import scratch
from qsim.cosim import dut as duts
from qsim.cosim.lanes import bulk_recipe
from qsim.cosim.simulators import build, process
from qsim.errors import UsageError
from qsim.formal.designs import Reading
from qsim.mutants.killing import Hunt, Score, beside, largest, merged, runs
from qsim.mutants.netlist import CHOICE, SELECT, instance, mutants
from qsim.mutants.same import Same

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Prepared
    from qsim.cosim.simulators import Simulator
    from qsim.golden import Case
    from qsim.mutants.killing import Status
    from qsim.mutants.netlist import Mutants
    from qsim.target import Target


def campaign(
    dut: Dut,
    cases: Sequence[Case | Prepared],
    target: Target | None,
    simulator: Simulator,
    count: int,
    seed: int = 1,
    workers: int | None = None,
    advance: Callable[[int], None] = lambda _count: None,
) -> Score:
    """Send the vectors to mutants of a design, and ask of each survivor whether it is the same.

    Args:
        dut: the design; with its own RTL every vector agrees.
        cases: of its primitive; those that share the unit with most beats are sent.
        target: that they were made for; None of a block that no primitive is.
        simulator: runs the bulk bench.
        count: mutants.
        seed: of their choice.
        workers: simulations side by side; as many as there are processors if None.
        advance: called with 1 when a mutant is decided.

    Raises:
        MissingToolError: yosys is not installed.
        FileFormatError: yosys refuses a file.
        UsageError: a design that yosys cannot read or that has nothing to change, or one whose
            netlist does not agree with the vectors.
    """
    jobs = [duts.job(dut, case, target) for case in cases if case.primitive in dut.serves]
    if dut.custom is not None and jobs:
        jobs = [beside(jobs)]
    if not jobs:
        raise UsageError(f"there are no vectors of {dut.primitive}", where=dut.where)
    fit = [duts.without_unfit(dut, job) for job in jobs]
    taken = [job for job, _ in fit if len(job.expected)]
    if not taken:
        reasons = "; ".join(dict.fromkeys(reason for _, told in fit for reason in told))
        raise UsageError(f"the design can take none of the vectors: {reasons}", where=dut.where)
    sent = largest(taken)
    whole = merged(sent)
    with scratch("mutants") as folder:
        reading = Reading(dut, folder.resolve())
        made = mutants(
            reading.run,
            folder,
            reading.path,
            [*reading.read(), *reading.top()],
            f"{dut.top}_mutants",
            count,
            seed,
        )
        changed = duts.serving(_changed(dut, made, folder), whole.unit)
        design = duts.design(changed, whole.unit)
        hunt = Hunt(whole, build(bulk_recipe(design, simulator)), runs(whole))
        unused = _begin(hunt, dut)
        proof = Same(made, ties=_ties(dut, made))

        def judge(number: int) -> tuple[Status, str]:
            if proof.same(number):
                return "equivalent", "proved: every register and output is the same function"
            return "survived", "no proof that it is the same"

        found = hunt.all(made.changes, judge, workers or process.processors(), advance)
    parameters: dict[str, Any] = {name: str(value) for name, value in dut.parameters.items()}
    calls = len(sent), len(jobs)
    return Score(
        dut.primitive, parameters, len(whole.beats), found, tuple(hunt.runs), unused, calls
    )


def _begin(hunt: Hunt, dut: Dut) -> dict[str, str]:
    """Run the netlist unchanged; return the runs that it does not pass: they tell nothing."""
    wrong = hunt.begin()
    if "full rate" in wrong:
        raise UsageError(
            f"what yosys makes of module {dut.top} does not agree: {wrong['full rate']}",
            where=dut.where,
            accepted="a module that means the same to yosys and to simulators",
        )
    hunt.runs = {name: stimulus for name, stimulus in hunt.runs.items() if name not in wrong}
    return wrong


def _changed(dut: Dut, made: Mutants, folder: Path) -> Dut:
    """Return the design with the netlist in place of its sources."""
    netlist, shim = folder / "netlist.v", folder / "module.v"
    netlist.write_text(made.verilog, encoding="utf-8")
    declared = ", ".join(port.declared for port in made.ports)
    body = f"module {dut.top} ({declared});\n{CHOICE}"
    body += instance(made, "unit", f"seed[{SELECT - 1}:0]") + "endmodule\n"
    shim.write_text(body, encoding="utf-8")
    return replace(dut, sources=(netlist, shim), include=(), defines={}, parameters={})


def _ties(dut: Dut, made: Mutants) -> dict[str, int]:
    """Return what inputs are tied to, as unsigned numbers."""
    bits = {port.name: port.bits for port in made.ports}
    ties = [(name, wide.value) for name, wide in dut.tie.items() if name in bits]
    return {name: value % (1 << bits[name]) for name, value in ties}
