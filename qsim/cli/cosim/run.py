"""``qsim cosim``: a model, a golden set or a primitive through RTL."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qsim.cli.build import DEFAULT_TARGET, build, target_of
from qsim.cli.cosim.tables import report_parts
from qsim.cli.golden.record import RecordOptions, is_primitive, run_input
from qsim.cli.output import quiet
from qsim.errors import UsageError
from qsim.golden.samples import PRIMITIVES as SAMPLED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qsim.cli.output import Output
    from qsim.cosim import Progress, Report, Settings
    from qsim.cosim.jobs import Prepared
    from qsim.golden import Case
    from qsim.mutants import Score
    from qsim.target import Target

    _Source: TypeAlias = tuple[Iterable[Case | Prepared], Target | None, str]

WAVES: Final = Path("cosim-waves")


@dataclass(frozen=True)
class CosimOptions:
    """The options of ``qsim cosim``; see its ``--help``."""

    what: str | None
    simulator: str
    target: str | None
    lane: str
    dut: Path | None
    lint: bool
    engine: bool
    seed: int
    vectors: int | None
    case: str | None
    strict: bool
    samples: int | None
    inputs: tuple[str, ...]
    expected: str | None
    config: Path | None
    stall: float | None
    idle_cycles: int | None
    waves: bool
    timeout: float
    jobs: int | None
    coverage: bool = False
    mutants: int | None = None


def execute(options: CosimOptions, output: Output) -> bool:
    """Co-simulate and print what was found; return whether every bit agrees."""
    from qsim.cosim import run_cases
    from qsim.cosim.simulators import find

    _check_numbers(options)
    find(options.simulator)  # before the work, not after it
    _check_mutants(options)
    settings = _settings(options)
    with quiet(output), _terminated():
        cases, target, source = _source(options, settings, output)
        cases = cases if options.mutants is None else list(cases)
        with _progress(output) as progress:
            report = run_cases(cases, target, replace(settings, progress=progress), source)
        score = _mutants(options, settings, cases, target, output) if report.ok else None
    _print(report, score, options, output)
    return report.ok


def _check_numbers(options: CosimOptions) -> None:
    if options.case == "":
        raise UsageError("--case must be a name, not nothing", accepted="such as 'conv*'")
    if options.strict and options.dut is None:
        raise UsageError(
            "the repository's RTL takes every vector", where="--strict", accepted="with --dut"
        )
    for name, value in (
        ("samples", options.samples),
        ("vectors", options.vectors),
        ("jobs", options.jobs),
        ("idle-cycles", options.idle_cycles),
    ):
        if value is not None and value < 1:
            raise UsageError(f"--{name} must be at least 1, not {value}", accepted="1 or more")
    if not options.timeout > 0:
        raise UsageError(f"--timeout must be positive, not {options.timeout:g}")


def _check_mutants(options: CosimOptions) -> None:
    if options.mutants is None:
        return
    from qsim.formal import yosys
    from qsim.mutants import MOST

    if options.dut is None:
        raise UsageError(
            "mutants are made of your own RTL", where="--mutants", accepted="--dut F.toml with it"
        )
    if not 1 <= options.mutants <= MOST:
        raise UsageError(f"--mutants must not be {options.mutants}", accepted=f"1..{MOST}")
    yosys.require()


def _mutants(
    options: CosimOptions,
    settings: Settings,
    cases: Iterable[Case | Prepared],
    target: Target | None,
    output: Output,
) -> Score | None:
    """Return what the vectors notice of changes in the user's module, where that is asked for."""
    if options.mutants is None or settings.dut is None:
        return None
    from qsim.cosim import chosen
    from qsim.cosim.simulators import find
    from qsim.mutants import campaign

    groups = chosen(((case,) for case in cases), settings.pattern or "*")
    with output.stage("mutants", options.mutants) as advance:
        return campaign(
            settings.dut,
            [case for (case,) in groups],
            target,
            find(options.simulator),
            options.mutants,
            options.seed,
            options.jobs,
            advance,
        )


def _settings(options: CosimOptions) -> Settings:
    from qsim.cosim import Settings, with_dut
    from qsim.cosim.lanes import played, require_lane

    stimulus, stalled = played(options.seed, options.stall, options.idle_cycles)
    settings = Settings(
        simulator=options.simulator,
        lane=require_lane(options.lane),
        stimulus=stimulus,
        stalled=stalled,
        workers=options.jobs,
        lint=options.lint,
        waves=WAVES if options.waves else None,
        timeout=options.timeout,
        engine=options.engine,
        pattern=options.case or "",
        strict=options.strict,
        coverage=options.coverage,
    )
    return with_dut(settings, options.dut)


def _source(options: CosimOptions, settings: Settings, output: Output) -> _Source:
    """Return the calls, the target that they were made for, and what they are."""
    from qsim.target import Target

    if options.what is None:
        return _block(options, settings)
    if settings.dut is not None and settings.dut.custom is not None:
        raise UsageError(
            f"the design is a block of its own: {options.what} has no calls for it",
            where=settings.dut.where,
            accepted="--dut alone, with --expected and with --inputs or --vectors",
        )
    if options.expected is not None:
        raise UsageError(
            f"what must come out of {options.what} is known",
            where="--expected",
            accepted='--expected with --dut of a block (primitive = "custom") alone',
        )
    if Path(options.what).is_dir():
        from qsim.golden import load

        _refuse(options, "a golden set", ("--vectors", "--samples", "--inputs", "--config"))
        target = None if options.target is None else Target.load(options.target)
        golden = load(options.what, target=target)
        return golden.cases, golden.target, f"golden set {options.what}"
    if options.what in SAMPLED or is_primitive(options.what):
        from qsim.cosim.jobs import vectors

        _refuse(options, "a primitive", ("--samples", "--inputs", "--config"))
        target = Target.load(options.target or DEFAULT_TARGET)
        fixed = {} if settings.dut is None else settings.dut.fixed
        with output.stage("vectors"):
            made = list(vectors(options.what, target, options.seed, options.vectors, fixed))
        return made, target, f"vectors of {options.what}, seed {options.seed}"
    _refuse(options, "a model", ("--vectors",))
    return _model(options, output)


def _block(options: CosimOptions, settings: Settings) -> _Source:
    """Return the calls of a block that no primitive is."""
    from qsim.cosim import blocks

    if settings.dut is None or settings.dut.custom is None:
        raise UsageError(
            "what is to be simulated",
            accepted="a model, a golden set or a primitive; or --dut of a block of your own alone",
        )
    _refuse(options, "a block", ("--samples", "--config"))
    if options.target is not None:
        raise UsageError("a block has fields of its own, and no target", where="--target")
    if len(options.inputs) > 1:
        raise UsageError(
            f"a block takes one --inputs, not {len(options.inputs)}",
            accepted="a folder of .npy files, or a function",
        )
    given = options.inputs[0] if options.inputs else None
    made = blocks(settings, given, options.expected, vectors=options.vectors, seed=options.seed)
    return made, None, f"block {settings.dut.custom.name} of {options.dut}"


def _model(options: CosimOptions, output: Output) -> _Source:
    from qsim.golden import cases

    assert options.what is not None  # noqa: S101 - a block is no model
    target = target_of(options.what, options.target)
    built = build(options.what, target, options.config, output, quantized_io=False)
    record = RecordOptions(
        what=options.what,
        directory=Path(),
        target=options.target,
        samples=options.samples,
        inputs=tuple(map(Path, options.inputs)),
        config=options.config,
        seed=None,
        count=None,
        force=False,
    )
    arrays, source = run_input(record, built.lowered, built.model)
    with output.stage("recording"):
        recorded = list(cases(built.lowered, arrays))
    return recorded, built.lowered.target, f"{options.what}: {source}"


def _refuse(options: CosimOptions, what: str, names: tuple[str, ...]) -> None:
    """Refuse options that mean nothing here, rather than leave them out silently."""
    given: dict[str, Any] = {
        "--vectors": options.vectors,
        "--samples": options.samples,
        "--inputs": options.inputs or None,
        "--config": options.config,
    }
    fits = {"--vectors": "a primitive"}
    for name in names:
        if given[name] is not None:
            raise UsageError(
                f"{options.what or options.dut} is {what}",
                where=name,
                accepted=f"{name} with {fits.get(name, 'a model')}",
            )


@contextmanager
def _terminated() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: with its simulators."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress(output: Output) -> Iterator[Progress]:
    """Give the function that shows, one after another, the stages of a co-simulation."""
    stages = ExitStack()
    state: dict[str, Any] = {"what": "", "done": 0, "advance": None}

    def show(what: str, done: int, total: int) -> None:
        if what != state["what"]:
            stages.close()
            advance = stages.enter_context(output.stage(what, total or None))
            state.update(what=what, done=0, advance=advance)
        state["advance"](done - state["done"])
        state["done"] = done

    with stages:
        yield show


def _print(report: Report, score: Score | None, options: CosimOptions, output: Output) -> None:
    if output.as_json:
        mutants = None if score is None else score.to_dict()
        output.json(report.to_dict() | ({} if options.mutants is None else {"mutants": mutants}))
        return
    from qsim.cli.cosim.mutants import mutant_parts
    from qsim.cli.output import width

    output.text(*report_parts(report, width(terminal=sys.stdout.isatty())))
    if options.mutants is not None:
        output.text(*mutant_parts(score))
