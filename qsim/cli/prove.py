"""``qsim prove``: the RTL of a primitive equals its definition, for all inputs."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qsim.cli.build import DEFAULT_TARGET, build, check_model_name, target_of
from qsim.cli.options import Command, JsonOption, TargetOption, examples
from qsim.cli.output import Output
from qsim.cli.run import quiet
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.formal.goal import Verdict
    from qsim.formal.run import Task
    from qsim.network import Lowered
    from qsim.target import Target

_FROM_MODEL = ("add",)  # its constants are a model's, never all
_MODEL = "digits"
_FOR_ALL = ("bias_add", "lookup", "stream_register")  # no constants of layers
_MACHINES = ("lookup", "stream_register")  # proved over time, with a scoreboard


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


@dataclass(frozen=True)
class _Result:
    task: Task
    verdicts: list[Verdict]
    seconds: float


def prove(options: ProveOptions, output: Output) -> int:
    """Prove what there is to prove; return the exit status: 0 proven, 1 not."""
    from qsim.formal import yosys
    from qsim.formal.plan import PROVABLE

    _check(options, (*PROVABLE, *_MACHINES))
    yosys.require()
    if options.primitive in _MACHINES:
        return _induct(options, output)
    from qsim.formal.plan import tasks

    model = options.model or (_MODEL if options.primitive in _FROM_MODEL else None)
    with quiet(output):
        target, lowered = _network(options, model, output)
        planned = tasks(options.primitive, target, lowered, options.rtl)
        if sys.stderr.isatty():
            sys.stderr.write("yosys takes most of a minute the first time it runs on a machine\n")
        results = _prove(planned, options, output)
    status = 0 if all(v.status == "proven" for r in results for v in r.verdicts) else 1
    _print(options, model, target, results, output)
    return status


def _induct(options: ProveOptions, output: Output) -> int:
    """Prove what is proved over time: the module with its scoreboard."""
    from qsim.formal.induction import machine
    from qsim.formal.induction import prove as induct
    from qsim.target import Target

    if options.write is not None:
        raise UsageError(
            f"the proof of {options.primitive} gives no vector",
            where="--write",
            accepted="no --write",
        )
    target = Target.load(options.target or DEFAULT_TARGET)
    made = machine(options.primitive, target, options.rtl)
    verdicts = induct(made, options.timeout)
    proven = all(verdict.status == "proven" for verdict in verdicts)
    verdict = "proven" if proven else "not proven"
    from rich.text import Text

    title = Text(made.module, "bold").append(f" on {target.name}, by induction: ")
    title.append(verdict, "bold green" if proven else "bold red")
    output.text(title, *(Text(f"  {v.goal}: {v.status}, {v.seconds:.2f} s") for v in verdicts))
    output.json(
        {
            "primitive": made.module,
            "target": {"name": target.name, "hash": target.hash},
            "model": None,
            "verdict": verdict,
            "proofs": [
                {
                    "core": f"{made.module}_formal",
                    "parameters": dict(made.parameters),
                    "verdicts": [
                        {"goal": v.goal, "status": v.status, "seconds": round(v.seconds, 3)}
                        for v in verdicts
                    ],
                }
            ],
        }
    )
    return 0 if proven else 1


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
        raise UsageError(f"--timeout must be seconds, not {options.timeout}", accepted="1..86400")
    if options.workers < 1:
        raise UsageError(f"--jobs must be at least 1, not {options.workers}", accepted="1 or more")
    if options.write is not None:
        from qsim.golden.writing import check_destination

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


def _prove(planned: list[Task], options: ProveOptions, output: Output) -> list[_Result]:
    from qsim.formal.run import prove as decide

    results = []
    for task in planned:
        start = time.perf_counter()
        with output.stage("proving", len(task.goals)) as advance:
            verdicts = decide(task, options.timeout, options.workers, advance)
        results.append(_Result(task, verdicts, time.perf_counter() - start))
        if verdicts[-1].status == "counterexample":
            break
    return results


def _print(
    options: ProveOptions,
    model: str | None,
    target: Target,
    results: list[_Result],
    output: Output,
) -> None:
    from rich.text import Text

    of = f"the constants of {model}" if model else "all constants"
    title = Text(options.primitive, "bold").append(f" on {target.name}, {of}: ")
    lines: list[Any] = []
    documents = []
    for result in results:
        failed = [v for v in result.verdicts if v.status != "proven"]
        lines += _summary(result)
        found = next((v for v in failed if v.status == "counterexample"), None)
        shown = _counterexample(found, result.task, target, options) if found else None
        if shown is not None:
            lines += [f"  {name}: {text}" for name, text in shown["text"].items()]
        lines += [f"  not proven in time: {v.goal}" for v in failed if v is not found]
        documents.append(_document(result, shown))
    proven = all(v.status == "proven" for r in results for v in r.verdicts)
    found_any = any(v.status == "counterexample" for r in results for v in r.verdicts)
    verdict = "proven" if proven else "counterexample" if found_any else "not proven"
    title.append(verdict, "bold green" if proven else "bold red")
    output.text(title, *(Text(line) for line in lines))
    output.json(
        {
            "primitive": options.primitive,
            "target": {"name": target.name, "hash": target.hash},
            "model": model,
            "verdict": verdict,
            "proofs": documents,
        }
    )


def _summary(result: _Result) -> list[str]:
    task, verdicts = result.task, result.verdicts
    proven = sum(v.status == "proven" for v in verdicts)
    parameters = " ".join(f"{k}={v}" for k, v in task.problem.unit.parameters.items())
    slowest = max(v.seconds for v in verdicts)
    lines = [f"{task.core} {parameters}"]
    lines += [f"  assumed: {text}" for text in task.problem.preconditions]
    lines.append(
        f"  {proven} of {len(task.goals)} goals proven in {result.seconds:.0f} s, "
        f"the slowest in {slowest:.1f} s"
    )
    return lines


def _counterexample(
    verdict: Verdict, task: Task, target: Target, options: ProveOptions
) -> dict[str, Any]:
    """Return a counterexample in words; simulate and write it."""
    from qsim.formal.replay import replay

    case = task.problem.case(verdict.values)
    bits = {field.name: field.bits for field in task.problem.unit.inputs.fields}
    text = {"goal": verdict.goal}
    text |= {name: _number(value, bits[name]) for name, value in verdict.values.items()}
    width = task.problem.result.bits
    text["expected"] = _number(verdict.expected, width)
    text["actual"] = _number(verdict.actual, width)
    simulated = replay(case, target, task.sources)
    text["simulated"] = "no simulator" if simulated is None else ": ".join(simulated)
    if options.write is not None:
        from qsim.golden.writing import write

        write([case], options.write, target)
        text["written"] = str(options.write)
    return {"text": text, "simulated": simulated}


def _number(value: int, bits: int) -> str:
    return f"{value} (0x{value & ((1 << bits) - 1):0{-(-bits // 4)}x})"


def _document(result: _Result, shown: dict[str, Any] | None) -> dict[str, Any]:
    found = next((v for v in result.verdicts if v.status == "counterexample"), None)
    return {
        "core": result.task.core,
        "parameters": dict(result.task.problem.unit.parameters),
        "assumed": list(result.task.problem.preconditions),
        "goals": len(result.task.goals),
        "seconds": round(result.seconds, 3),
        "verdicts": [
            {
                "goal": v.goal,
                "status": v.status,
                "seconds": round(v.seconds, 3),
                "after_products": v.products,
            }
            for v in result.verdicts
        ],
        "counterexample": None
        if found is None
        else {
            "goal": found.goal,
            "values": dict(found.values),
            "expected": found.expected,
            "actual": found.actual,
            "simulated": None if shown is None else shown["simulated"],
        },
    }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="prove",
        cls=Command,
        epilog=examples(
            "qsim prove requantize --target tflite",
            "qsim prove requantize --target tflite --model digits",
            "qsim prove bias_add --target narrow20 --rtl my_rtl/bias_add_core.sv",
            "qsim prove add --target q7 --model resnet8 --json",
        ),
    )(_command)


def _command(
    primitive: Annotated[
        str,
        typer.Argument(
            metavar="PRIMITIVE",
            help="requantize, bias_add, add, lookup or stream_register.",
            show_default=False,
        ),
    ],
    target: TargetOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Prove for the constants of this model's layers "
            "(default: for all constants; add: those of digits).",
            show_default=False,
        ),
    ] = None,
    rtl: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE",
            help="Changed RTL: a folder, or one file, with the names of the shipped files.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="S", help="Seconds for each query to the solver.")
    ] = 120.0,
    workers: Annotated[int, typer.Option("--jobs", metavar="N", help="Processes.")] = 2,
    write: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write a counterexample as a golden set.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove with yosys and z3 that the RTL equals its definition, for all inputs."""
    options = ProveOptions(primitive, target, model, rtl, timeout, workers, write)
    status = prove(options, Output(as_json=as_json))
    if status:
        raise typer.Exit(status)
