"""Calls through RTL: jobs are made, their units built, simulated, and told call by call."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from qsim.cosim import jobs, lanes
from qsim.cosim.choosing import chosen
from qsim.cosim.coverage import Coverage
from qsim.cosim.dut import explain as explain_build
from qsim.cosim.dut import job as job_of
from qsim.cosim.dut import require_widths, spread, unread, without_unfit
from qsim.cosim.explaining import explain
from qsim.cosim.findings import findings
from qsim.cosim.lanes import LaneName, Stimulus, Window
from qsim.cosim.report import CallResult, LeftOut, Report, Skipped
from qsim.cosim.simulators import BuildError, Wrap, build_all, design, find, lint, process
from qsim.cosim.simulators import build as build_one
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Job
    from qsim.cosim.simulators import Build, Recipe, Simulator
    from qsim.golden import Case
    from qsim.target import Target

    Call: TypeAlias = Case | jobs.Prepared

# Beats that are kept between building and simulating; others are made a second time.
_HELD_BYTES: Final = 512 << 20
MOST_WAVES: Final = 4  # calls whose waves are written
BEFORE, AFTER = 32, 8  # cycles of waves around the one in question
Progress = Callable[[str, int, int], None]  # what, how many are done, of how many


def _silent(_what: str, _done: int, _total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Settings:
    """How to co-simulate.

    Attributes:
        simulator: ``icarus`` or ``verilator``.
        lane: ``bulk`` or ``cocotb``.
        stimulus: stalls and seed.
        stalled: how a call that agrees is played once more, where a design that is not ours has a
            handshake, or a valid or last alone; None: not at all.
        workers: builds, and simulations, side by side; as many as there are processors if None.
        wrap: makes ``dut`` around what serves a unit; the repository's RTL unless given.
        dut: somebody else's design behind ``wrap``, which serves one primitive; or None.
        engine: send correlation, bias_add and requantize of a layer through ``conv_engine`` at
            once, not one by one.
        waves: folder for the waves around first differences, or None.
        lint: tell also what Verilator says of the design on request: latches, unused signals.
        timeout: seconds for one call.
        coverage: say which situations that matter the beats reach.
        progress: told what is going on.
        pattern: calls whose name or layer it matches, as the shell does; all if empty.
        strict: refuse vectors that a design cannot take, instead of leaving them out.
    """

    simulator: str
    lane: LaneName = "bulk"
    stimulus: Stimulus = field(default_factory=Stimulus)
    stalled: Stimulus | None = None
    workers: int | None = None
    wrap: Wrap = design
    dut: Dut | None = None
    engine: bool = False
    waves: Path | None = None
    lint: bool = False
    timeout: float = 3600.0
    coverage: bool = False
    progress: Progress = _silent
    pattern: str = ""
    strict: bool = False

    @property
    def processes(self) -> int:
        """How many of them run side by side."""
        return process.processors() if self.workers is None else self.workers


@dataclass(frozen=True)
class _Planned:
    """What has RTL, a call or a layer: its job, if it is small enough to keep, and its build."""

    cases: tuple[Call, ...]
    job: Job | None
    recipe: Recipe
    key: str
    left_out: tuple[LeftOut, ...] = ()


def _job(
    cases: tuple[Call, ...], target: Target | None, settings: Settings
) -> tuple[Job, tuple[LeftOut, ...]]:
    """Return the beats of one call, or of the calls of a whole layer, and what they leave out."""
    job = _whole(cases, target, settings.dut)
    if settings.dut is None:
        return job, ()
    kept, reasons = without_unfit(settings.dut, job, strict=settings.strict)
    left_out = tuple(LeftOut(reason, elements) for reason, elements in reasons.items())
    return spread(settings.dut, kept), left_out


def _whole(cases: tuple[Call, ...], target: Target | None, dut: Dut | None) -> Job:
    """Return all beats of one call, or of the calls of a whole layer."""
    first = cases[0]
    if dut is not None:
        return job_of(dut, first, target)
    if isinstance(first, jobs.Prepared) or target is None:
        return cast("jobs.Prepared", first).job
    if len(cases) == 1:
        return jobs.job(first, target)
    from qsim.cosim.jobs import conv_engine  # it loads Numba

    return conv_engine.job(cast("tuple[Case, ...]", cases), target)


def run_cases(
    cases: Iterable[Call], target: Target | None, settings: Settings, source: str
) -> Report:
    """Send calls through RTL and compare every element.

    Args:
        cases: the calls.
        target: the contract that they were made for; None of a block that no primitive is.
        settings: how.
        source: what the report calls them.

    Raises:
        MissingToolError: the simulator is not there.
        BuildError: RTL does not compile.
        SimulationError: a simulation did not run to its end.
        UsageError: none of the calls has RTL.
    """
    started = time.perf_counter()
    simulator = find(settings.simulator)
    covered: dict[str, Coverage] = {}
    planned, skipped = _plan(cases, target, settings, simulator, covered)
    if not planned:
        reasons = "; ".join(dict.fromkeys(each.reason for each in skipped)) or "there are no calls"
        raise UsageError(f"nothing to simulate: {reasons}", where=source)
    building = time.perf_counter()
    builds = _build(planned, settings)
    warnings = _warnings(planned, builds, settings)
    built = time.perf_counter()
    results = _simulate(planned, builds, target, settings)
    for call in results:
        if call.events is not None and call.primitive in covered:
            covered[call.primitive].add_stalls(call.events)
    if settings.waves is not None:
        _add_waves(results, planned, target, settings, settings.waves)
    return Report(
        source=source,
        simulator=simulator.name,
        version=simulator.version,
        lane=settings.lane,
        target=target,
        seed=settings.stimulus.seed,
        calls=tuple(results),
        skipped=tuple(skipped),
        seconds=time.perf_counter() - started,
        build_seconds=built - building,
        warnings=tuple(dict.fromkeys([*warnings, *(w for call in results for w in call.warnings)])),
        coverage=tuple(covered.values()),
    )


def _plan(
    cases: Iterable[Call],
    target: Target | None,
    settings: Settings,
    simulator: Simulator,
    covered: dict[str, Coverage],
) -> tuple[list[_Planned], list[Skipped]]:
    planned: list[_Planned] = []
    skipped: list[Skipped] = []
    held = 0
    groups: Iterable[tuple[Call, ...]] = ((case,) for case in cases)
    if settings.engine:
        groups = jobs.layers(cast("Iterable[Case]", cases))
    for group in chosen(groups, settings.pattern) if settings.pattern else groups:
        reason = _not_served(group[0], settings)
        if not reason:
            try:
                job, left_out = _job(group, target, settings)
            except UsageError as error:
                reason = error.message
            else:
                reason = "" if len(job.expected) else _none_left(left_out)
        if reason:
            skipped += [
                Skipped(case.name, case.layer, case.primitive, case.size, reason) for case in group
            ]
            continue
        if settings.coverage:
            _cover(job, settings, covered)
        made = lanes.recipe(settings.lane, settings.wrap(job.unit), simulator)
        held += job.beats.nbytes + job.expected.nbytes + job.element.nbytes
        planned.append(
            _Planned(group, job if held <= _HELD_BYTES else None, made, made.key(), left_out)
        )
        settings.progress("beats", len(planned), 0)
    return planned, skipped


def _none_left(left_out: Sequence[LeftOut]) -> str:
    return f"the design can take none of it: {'; '.join(each.reason for each in left_out)}"


def _cover(job: Job, settings: Settings, covered: dict[str, Coverage]) -> None:
    coverage = covered.setdefault(job.primitive, Coverage(job.primitive))
    coverage.add(job)
    if settings.dut is not None:
        coverage.add_ports(job, settings.dut)


def _not_served(case: Call, settings: Settings) -> str:
    if settings.dut is not None:
        serves = settings.dut.serves
        return "" if case.primitive in serves else f"the design computes {', '.join(serves)}"
    if not jobs.has_rtl(case.primitive):
        moves = case.primitive in ("reshape", "pad")
        return f"no RTL for {case.primitive}{': it only moves codes' if moves else ''}"
    return ""


def _build(planned: Sequence[_Planned], settings: Settings) -> dict[str, Build]:
    recipes = {each.key: each.recipe for each in planned}
    done = 0
    settings.progress("builds", 0, len(recipes))

    def step(count: int) -> None:
        nonlocal done
        done += count
        settings.progress("builds", done, len(recipes))

    try:
        return build_all(recipes.values(), settings.processes, step)
    except BuildError as error:
        if settings.dut is not None:
            explain_build(error, settings.dut)
        raise


def _warnings(
    planned: Sequence[_Planned], builds: dict[str, Build], settings: Settings
) -> list[str]:
    """Return what was said of somebody else's design when it was compiled.

    Raises:
        UsageError: a port has another width than its binding says.
    """
    if settings.dut is None:
        return []
    told: list[str] = []
    wider: dict[str, int] = {}
    for key, build in builds.items():
        wider |= require_widths(settings.dut, build.warnings)
        told += [each.line() for each in build.warnings if not each.of_wrapper]
        if settings.lint:
            recipe = next(each.recipe for each in planned if each.key == key)
            told += [each.line() for each in lint(recipe)]
    read = (part for build in builds.values() if build.watched for part in build.watched.read)
    return unread(settings.dut, read, wider) + told


def _simulate(
    planned: Sequence[_Planned], builds: dict[str, Build], target: Target | None, settings: Settings
) -> list[CallResult]:
    def one(each: _Planned) -> CallResult:
        job = _job(each.cases, target, settings)[0] if each.job is None else each.job
        told = simulate(each.cases, job, builds[each.key], target, settings)
        return replace(told, left_out=each.left_out)

    results: list[CallResult] = []
    settings.progress("calls", 0, len(planned))
    for result in process.side_by_side(one, planned, settings.processes):
        results.append(result)
        settings.progress("calls", len(results), len(planned))
    return results


def _add_waves(
    results: list[CallResult],
    planned: Sequence[_Planned],
    target: Target | None,
    settings: Settings,
    folder: Path,
) -> None:
    """Run calls on which something is wrong once more, and keep the waves around it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or "unknown").lower()
        raise UsageError(f"cannot hold waves: {reason}", where=str(folder)) from None
    wrong = [(i, each, each.cycle) for i, each in enumerate(results) if each.cycle is not None]
    for index, result, cycle in wrong[:MOST_WAVES]:
        each = planned[index]
        job = _job(each.cases, target, settings)[0] if each.job is None else each.job
        build = build_one(replace(each.recipe, waves=True))
        path = folder / f"{_file_name(result.name)}-cycle-{cycle}.vcd"
        window = Window(max(0, cycle - BEFORE), cycle + AFTER, path)
        run = lanes.runner(settings.lane)
        run(job, build, result.stimulus, window=window, timeout=settings.timeout)
        results[index] = replace(result, waves=path)


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100].lstrip(".") or "case"


def simulate(
    cases: tuple[Call, ...], job: Job, build: Build, target: Target | None, settings: Settings
) -> CallResult:
    """Run one job and tell what it found.

    Args:
        cases: the call, or the calls of a whole layer.
        job: their beats.
        build: for the lane of the settings.
        target: the contract of the calls; None of a block that no primitive is.
        settings: how.

    Raises:
        SimulationError: the simulation did not run to its end.
    """
    run = lanes.runner(settings.lane)
    stimulus, stalled = settings.stimulus, settings.stalled
    result = run(job, build, stimulus, timeout=settings.timeout)
    seconds, note = result.seconds, ""
    events = Counter(result.events)
    if result.agrees and stalled is not None and build.watched and build.watched.stalls:
        interval = settings.dut.interval if settings.dut is not None else 1
        stalled = lanes.held_up(stalled, len(job.beats) * interval / max(len(job.expected), 1))
        again = run(job, build, stalled, timeout=settings.timeout)
        seconds += again.seconds
        events.update(again.events)
        if not again.agrees:
            result, stimulus = again, stalled
            note = f"it agrees at full rate; all this is seen with {stalled.stalls}"
    found = findings(job, result)
    problems = [problem.message for problem in result.problems]
    if result.differing > len(result.differences):
        problems.append(
            f"{result.differing} output beats differ; elements are told of the first "
            f"{len(result.differences)}"
        )
    cycles = [problem.cycle for problem in result.problems]
    cycles += [difference.cycle for difference in result.differences[:1]]
    if found.mismatch is not None and found.mismatch.cycle is not None:
        cycles = [found.mismatch.cycle]
    return CallResult(
        name=job.name,
        layer=job.layer,
        primitive=job.primitive,
        module=job.unit.module if settings.dut is None else settings.dut.top,
        elements=job.elements,
        cycles=result.cycles,
        mismatches=0 if found.mismatch is None else found.mismatch.count,
        first=found.mismatch,
        problems=(*problems, *found.others, *filter(None, [note])),
        seconds=seconds,
        cycle=min(cycles, default=None),
        stimulus=stimulus,
        warnings=result.warnings,
        explanation=explain(cases, job, result, found.mismatch, target, settings.dut, stimulus),
        events=None if result.events is None else dict(events),
    )
