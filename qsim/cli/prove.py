"""``qsim prove``: the RTL of a primitive equals its definition, for all inputs."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qsim.cli.build import DEFAULT_TARGET, build, check_model_name, target_of
from qsim.cli.output import Output, quiet
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.cli.output import Output
    from qsim.cosim.dut import Dut
    from qsim.formal import Provable, Result, Task, Verdict
    from qsim.golden import Case
    from qsim.network import Lowered
    from qsim.target import Target

_FROM_MODEL = ("add",)  # its constants are a model's, never all
_MODEL = "digits"
# Of these a target's proof has some constants of each size, which stand for those of every scale.
_SCALES = {"softmax": "a scale in every octave", "integer_function": "scales of every size"}
_MOVES = ("strided_slice", "permute", "gather")
_MACHINES = ("lookup", "stream_register", *_MOVES)  # proved over time, with a scoreboard
_NORMS = ("layer_norm", "group_norm", "rms_norm")  # proved part by part
_FOR_ALL = ("bias_add", "clamp", *_MACHINES, *_NORMS)  # no constants of layers
DESIGNS = ("requantize", "bias_add", "add", "clamp", "lookup")  # of --dut


@dataclass(frozen=True)
class ProveOptions:
    """The options of ``qsim prove``; see its ``--help``."""

    primitive: str
    target: str | None
    model: str | None
    rtl: Path | None
    timeout: float
    workers: int
    write: Path | None
    dut: Path | None = None


def prove(options: ProveOptions, output: Output) -> int:
    """Prove what there is to prove; return the exit status: 0 proven, 1 not."""
    from qsim.formal import PROVABLE, yosys

    dut = _dut(options)
    if dut is not None:
        options = replace(options, primitive=dut.primitive)
    _check(options, (*PROVABLE, *_MACHINES, *_NORMS) if dut is None else DESIGNS)
    yosys.require()
    if dut is not None and dut.primitive == "lookup":
        return _table(options, dut, output)
    if dut is None and options.primitive in _MACHINES:
        return _induct(options, output)
    if dut is None and options.primitive in _NORMS:
        return _parts(options, output)
    from qsim.formal import parts_of, tasks
    from qsim.formal.designs import design_tasks, needs_model

    needed = options.primitive in _FROM_MODEL if dut is None else needs_model(dut)
    model = options.model or (_MODEL if needed else None)
    with quiet(output):
        target, lowered = _network(options, model, output)
        _tell_of_yosys()
        if dut is None:
            planned: Sequence[Task] = tasks(options.primitive, target, lowered, options.rtl)
        else:
            planned = design_tasks(dut, target, lowered)
        results = _prove(planned, target, options, output)
        if dut is None and all(result.found is None for result in results):
            further = parts_of(options.primitive, target, options.rtl)
            results += _prove_parts(further, options, output)
    every = _SCALES.get(options.primitive, "all constants")
    constants = f"the constants of {model}" if model else every
    if dut is not None and dut.fixed:
        constants += ", those of [fixed] as set"
    which = "" if dut is None else f"{dut.top} of {dut.where}: "
    title = f"{which}{options.primitive} on {target.name}, {constants}"
    return _print(options, model, target, title, results, output)


def _parts(options: ProveOptions, output: Output) -> int:
    """Prove what is combinational in a module, part by part."""
    from qsim.formal import parts_of
    from qsim.target import Target

    _no_vector(options)
    target = Target.load(options.target or DEFAULT_TARGET)
    planned = parts_of(options.primitive, target, options.rtl)
    _tell_of_yosys()
    results = _prove_parts(planned, options, output)
    title = f"what is combinational in {options.primitive} on {target.name}"
    return _print(options, None, target, title, results, output)


def _prove_parts(
    planned: Sequence[Provable], options: ProveOptions, output: Output
) -> list[Result]:
    """Decide all parts, until there is a counterexample."""
    from qsim.formal import Result

    results: list[Result] = []
    with output.stage("proving", len(planned)) as advance:
        for part in planned:
            start = time.perf_counter()
            verdicts = part.verdicts(options.timeout)
            seconds = time.perf_counter() - start
            facts = tuple(("assumed", text) for text in part.assumed)
            result = Result(
                part.module, part.parameters, facts, part.assumed, part.count, {}, verdicts, seconds
            )
            results.append(_with_values(result))
            advance(1)
            if result.found is not None:
                break
    return results


def _with_values(result: Result) -> Result:
    """Return a result with the values of its counterexample, if it has one, as pairs for people."""
    found = result.found
    if found is None or found.cycles:
        return result
    rows = [("goal", found.goal), *((name, str(value)) for name, value in found.values.items())]
    rows += [("expected", str(found.expected)), ("actual", str(found.actual))]
    return replace(result, shown=tuple(rows))


def _no_vector(options: ProveOptions) -> None:
    if options.write is not None:
        raise UsageError(
            f"the proof of {options.primitive} gives no vector",
            where="--write",
            accepted="no --write",
        )


def _induct(options: ProveOptions, output: Output) -> int:
    """Prove what is proved over time: the module with its scoreboard."""
    from qsim.formal import Result, induct, machine
    from qsim.target import Target

    _no_vector(options)
    target = Target.load(options.target or DEFAULT_TARGET)
    module = "move" if options.primitive in _MOVES else options.primitive
    made = machine(module, target, options.rtl)
    _tell_of_yosys()
    start = time.perf_counter()
    verdicts = induct(made, options.timeout)
    seconds = time.perf_counter() - start
    facts = tuple(("claim", claim) for claim in made.claims)
    core, goals = f"{made.module}_formal", len(verdicts)
    result = Result(core, made.parameters, facts, (), goals, {}, verdicts, seconds)
    result = _with_values(result)
    title = f"{made.module} on {target.name}, in every cycle after a reset"
    return _print(options, None, target, title, [result], output)


def _dut(options: ProveOptions) -> Dut | None:
    """Return the design that is asked for; None for the repository's RTL."""
    if options.dut is None:
        if not options.primitive:
            raise UsageError(
                "there is nothing to prove",
                accepted="a primitive, such as requantize, or --dut F.toml",
            )
        return None
    from qsim.cosim.dut import load
    from qsim.formal.designs import require_provable

    if options.rtl is not None:
        raise UsageError(
            "--dut says which files the design has", where="--rtl", accepted="no --rtl"
        )
    dut = load(options.dut)
    if options.primitive not in ("", dut.primitive):
        raise UsageError(
            f"the design computes {dut.primitive}, not {options.primitive}", where=dut.where
        )
    require_provable(dut)
    return dut


def _table(options: ProveOptions, dut: Dut, output: Output) -> int:
    """Prove a table: what is loaded is read."""
    from qsim.formal import AS_EXPECTED, Result, replay_design
    from qsim.formal.designs import table_proof
    from qsim.target import Target

    target = Target.load(options.target or DEFAULT_TARGET)
    _tell_of_yosys()
    start = time.perf_counter()
    proof = table_proof(dut, target)
    verdicts = proof.verdicts(options.timeout)
    facts = (*(("claim", claim) for claim in proof.claims), *proof.facts)
    seconds = time.perf_counter() - start
    result = Result(
        dut.top, proof.parameters, facts, proof.preconditions, len(verdicts), {}, verdicts, seconds
    )
    if (found := result.found) is not None:
        rows = [(name, str(value)) for name, value in found.values.items()]
        rows += [("expected", str(found.expected)), ("actual", str(found.actual))]
        case = proof.case(found)
        simulated = replay_design(dut, case, target)
        if simulated is not None and simulated[1] == AS_EXPECTED:
            # A vector loads a whole table, in its order: it may not meet what this run does.
            said = "a golden vector, which loads a whole table, does not show it: none is written"
            rows.append(("vector", said))
            options = replace(options, write=None)
        result = _replayed(result, rows, case, simulated, target, options)
    title = f"{dut.top} of {dut.where}: lookup on {target.name}, every table"
    return _print(options, None, target, title, [result], output)


def _tell_of_yosys() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("yosys takes most of a minute the first time it runs on a machine\n")


def _check(options: ProveOptions, provable: tuple[str, ...]) -> None:
    if options.primitive not in provable:
        raise UsageError(f"no proof of {options.primitive!r}", accepted=", ".join(provable))
    if options.model is not None and options.primitive in _FOR_ALL:
        raise UsageError(
            f"the proof of {options.primitive} holds for all constants",
            where="--model",
            accepted="no --model",
        )
    if not 0 < options.timeout <= 86400:
        raise UsageError(
            f"--timeout must be seconds, not {options.timeout}",
            accepted="more than 0, at most 86400",
        )
    if options.workers < 1:
        raise UsageError(f"--jobs must be at least 1, not {options.workers}", accepted="1 or more")
    if options.write is not None:
        from qsim.golden import check_destination

        check_destination(options.write, force=False)


def _network(
    options: ProveOptions, model: str | None, output: Output
) -> tuple[Target, Lowered | None]:
    from qsim.target import Target

    if model is None:
        return Target.load(options.target or DEFAULT_TARGET), None
    target = target_of(model, options.target)
    check_model_name(model)
    lowered = build(model, target, None, output, quantized_io=False).lowered
    return lowered.target, lowered


def _prove(
    planned: Sequence[Task], target: Target, options: ProveOptions, output: Output
) -> list[Result]:
    """Decide all tasks, until there is a counterexample."""
    from qsim.formal import Result, facts_of, layers_of
    from qsim.formal import prove as decide

    results: list[Result] = []
    for task in planned:
        start = time.perf_counter()
        with output.stage("proving", len(task.goals)) as advance:
            verdicts = decide(task, options.timeout, options.workers, advance)
        seconds = time.perf_counter() - start
        result = Result(
            task.core,
            task.parameters,
            (*facts_of(task), *task.facts),
            task.problem.preconditions,
            len(task.goals),
            layers_of(task),
            verdicts,
            seconds,
        )
        if (found := result.found) is not None:
            return [*results, _shown(result, found, task, target, options)]
        results.append(result)
    return results


def _shown(
    result: Result, found: Verdict, task: Task, target: Target, options: ProveOptions
) -> Result:
    """Return a result with its counterexample in words; simulate and write it."""
    from qsim.formal import AS_EXPECTED

    case = task.case(found)
    bits = {field.name: field.bits for field in task.problem.unit.inputs.fields}
    rows = [("goal", found.goal)]
    rows += [(name, _number(value, bits[name])) for name, value in found.values.items()]
    width = task.problem.result.bits
    rows += [("expected", _number(found.expected, width)), ("actual", _number(found.actual, width))]
    if found.beats:
        index = next(i for i, beat in enumerate(found.beats) if beat == found.values)
        rows.append(("in a row", f"operation {index} of {len(found.beats)} after a reset"))
        moving = [n for n in found.values if any(b[n] != found.values[n] for b in found.beats)]
        rows += [
            (name, "each: " + ", ".join(str(beat[name]) for beat in found.beats)) for name in moving
        ]
    simulated = task.replay(case, target)
    if options.dut is not None and simulated is not None and simulated[1] == AS_EXPECTED:
        return _doubted(result, found, simulated[0])
    return _replayed(result, rows, case, simulated, target, options)


def _doubted(result: Result, found: Verdict, simulator: str) -> Result:
    """Return a result without a counterexample that the user's own simulation does not show."""
    note = (
        f"yosys' netlist gives {found.actual}, not {found.expected}, but {simulator} does not: "
        "other registers without reset, or other values between operations; later goals not asked"
    )
    doubted = replace(found, status="not proven", note=note)
    return replace(
        result, verdicts=[doubted if each is found else each for each in result.verdicts]
    )


def _replayed(
    result: Result,
    rows: list[tuple[str, str]],
    case: Case,
    simulated: tuple[str, str] | None,
    target: Target,
    options: ProveOptions,
) -> Result:
    """Return a result with its counterexample, as it was simulated; write it."""
    rows.append(
        ("simulated", "no simulator that takes it" if simulated is None else ": ".join(simulated))
    )
    if options.write is not None:
        from qsim.golden import write

        write([case], options.write, target)
        rows.append(("written", str(options.write)))
    return replace(result, shown=tuple(rows), simulated=simulated)


def _number(value: int, bits: int) -> str:
    return f"{value} (0x{value & ((1 << bits) - 1):0{-(-bits // 4)}x})"


def _print(
    options: ProveOptions,
    model: str | None,
    target: Target,
    title: str,
    results: Sequence[Result],
    output: Output,
) -> int:
    """Print the results; return the exit status."""
    from qsim.formal import document, text, verdict_of

    output.text(*text(title, results))
    verdict = verdict_of(results)
    output.json(
        {
            "primitive": options.primitive,
            "target": {"name": target.name, "hash": target.hash},
            "model": model,
            "verdict": verdict,
            "proofs": [document(result) for result in results],
        }
    )
    return 0 if verdict == "proven" else 1
