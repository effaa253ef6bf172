"""Calls through RTL: jobs are made, their units built, simulated, and told call by call."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from qsim.cosim import jobs, lanes
from qsim.cosim.coverage import Coverage
from qsim.cosim.dut import explain, require_values
from qsim.cosim.dut import job as job_of
from qsim.cosim.findings import findings
from qsim.cosim.lanes import LaneName, Stimulus, Window
from qsim.cosim.report import CallResult, Report, Skipped
from qsim.cosim.simulators import BuildError, Wrap, build_all, design, find, process
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
        workers: builds, and simulations, side by side.
        wrap: makes ``dut`` around what serves a unit; the repository's RTL unless given.
        dut: somebody else's design behind ``wrap``, which serves one primitive; or None.
        engine: send correlation, bias_add and requantize of a layer through ``conv_engine`` at
            once, not one by one.
        waves: folder for the waves around first differences, or None.
        timeout: seconds for one call.
        coverage: say which situations that matter the beats reach.
        progress: told what is going on.
    """

    simulator: str
    lane: LaneName = "bulk"
    stimulus: Stimulus = field(default_factory=Stimulus)
    workers: int = 2
    wrap: Wrap = design
    dut: Dut | None = None
    engine: bool = False
    waves: Path | None = None
    timeout: float = 3600.0
    coverage: bool = False
    progress: Progress = _silent


@dataclass(frozen=True)
class _Planned:
    """What has RTL, a call or a layer: its job, if it is small enough to keep, and its build."""

    cases: tuple[Case, ...]
    job: Job | None
    recipe: Recipe


def _job(cases: tuple[Case, ...], target: Target, settings: Settings) -> Job:
    """Return the beats of one call, or of the calls of a whole layer."""
    if settings.dut is not None:
        return job_of(settings.dut, cases[0], target)
    if len(cases) == 1:
        return jobs.job(cases[0], target)
    from qsim.cosim.jobs import conv_engine  # it loads Numba

    return conv_engine.job(cases, target)


def run_cases(cases: Iterable[Case], target: Target, settings: Settings, source: str) -> Report:
    """Send calls through RTL and compare every element.

    Args:
        cases: the calls.
        target: the contract that they were made for.
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
        coverage=tuple(covered.values()),
    )


def _plan(
    cases: Iterable[Case],
    target: Target,
    settings: Settings,
    simulator: Simulator,
    covered: dict[str, Coverage],
) -> tuple[list[_Planned], list[Skipped]]:
    planned: list[_Planned] = []
    skipped: list[Skipped] = []
    held = 0
    for group in jobs.layers(cases) if settings.engine else ((case,) for case in cases):
        reason = _not_served(group[0], settings)
        if not reason:
            try:
                job = _job(group, target, settings)
            except UsageError as error:
                reason = error.message
        if reason:
            skipped += [
                Skipped(case.name, case.layer, case.primitive, case.expected.size, reason)
                for case in group
            ]
            continue
        if settings.dut is not None:
            require_values(settings.dut, job)
        if settings.coverage:
            _cover(job, settings, covered)
        made = lanes.recipe(settings.lane, settings.wrap(job.unit), simulator)
        held += job.beats.nbytes + job.expected.nbytes + job.element.nbytes
        planned.append(_Planned(group, job if held <= _HELD_BYTES else None, made))
        settings.progress("beats", len(planned), 0)
    return planned, skipped


def _cover(job: Job, settings: Settings, covered: dict[str, Coverage]) -> None:
    coverage = covered.setdefault(job.primitive, Coverage(job.primitive))
    coverage.add(job)
    if settings.dut is not None:
        coverage.add_ports(job, settings.dut)


def _not_served(case: Case, settings: Settings) -> str:
    if settings.dut is not None and case.primitive not in settings.dut.serves:
        return f"the design computes {', '.join(settings.dut.serves)}"
    if not jobs.has_rtl(case.primitive):
        moves = case.primitive in ("reshape", "permute", "concat", "pad")
        return f"no RTL for {case.primitive}{': it only moves codes' if moves else ''}"
    return ""


def _build(planned: Sequence[_Planned], settings: Settings) -> dict[str, Build]:
    recipes = {each.recipe.key(): each.recipe for each in planned}
    done = 0
    settings.progress("builds", 0, len(recipes))

    def step(count: int) -> None:
        nonlocal done
        done += count
        settings.progress("builds", done, len(recipes))

    try:
        return build_all(recipes.values(), settings.workers, step)
    except BuildError as error:
        if settings.dut is not None:
            explain(error, settings.dut)
        raise


def _simulate(
    planned: Sequence[_Planned], builds: dict[str, Build], target: Target, settings: Settings
) -> list[CallResult]:
    def one(each: _Planned) -> CallResult:
        job = _job(each.cases, target, settings) if each.job is None else each.job
        return simulate(job, builds[each.recipe.key()], settings)

    results: list[CallResult] = []
    settings.progress("calls", 0, len(planned))
    for result in process.side_by_side(one, planned, settings.workers):
        results.append(result)
        settings.progress("calls", len(results), len(planned))
    return results


def _add_waves(
    results: list[CallResult],
    planned: Sequence[_Planned],
    target: Target,
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
        job = _job(each.cases, target, settings) if each.job is None else each.job
        build = build_one(replace(each.recipe, waves=True))
        path = folder / f"{_file_name(result.name)}-cycle-{cycle}.vcd"
        window = Window(max(0, cycle - BEFORE), cycle + AFTER, path)
        run = lanes.runner(settings.lane)
        run(job, build, settings.stimulus, window=window, timeout=settings.timeout)
        results[index] = replace(result, waves=path)


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100].lstrip(".") or "case"


def simulate(job: Job, build: Build, settings: Settings) -> CallResult:
    """Run one job and tell what it found.

    Raises:
        SimulationError: the simulation did not run to its end.
    """
    run = lanes.runner(settings.lane)
    result = run(job, build, settings.stimulus, timeout=settings.timeout)
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
        module=job.unit.module,
        elements=job.elements,
        cycles=result.cycles,
        mismatches=0 if found.mismatch is None else found.mismatch.count,
        first=found.mismatch,
        problems=(*problems, *found.others),
        seconds=result.seconds,
        cycle=min(cycles, default=None),
        events=result.events,
    )
