"""The tests that every primitive's bench has. Each is one cocotb test; the seed decides it all.

A primitive's module states its plan and takes them all:
``globals().update(checks.tests(PLAN, __name__))``.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

import cocotb

from rtl_tb.tb import session
from rtl_tb.tb.bench import Bench
from rtl_tb.tb.coverage import Coverage
from rtl_tb.tb.job import Stimulus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from rtl_tb.tb.bench import Outcome
    from rtl_tb.tb.coverage import Plan
    from rtl_tb.tb.job import Job

_STALLS: Final = ((0.5, 0.5), (0.1, 0.8), (0.8, 0.1), (0.0, 0.5), (0.5, 0.0))
# Beats, about, of the runs that are made some times, and many times.
_SOME: Final = 600
_FEW: Final = 150
_PATIENCE: Final = 1_000_000  # idle cycles of a layer
_LATENCY: Final = 4  # cycles that a unit with a result for each beat may take
_covered: dict[int, Coverage] = {}


class MismatchError(AssertionError):
    """The design did not do as the job says."""


async def full_rate(top: Any, plan: Plan) -> None:
    """All beats at full rate; a unit with a result for each beat has to keep up."""
    runner = _Runner(top, plan)
    job = session.description().job
    outcome = await runner.run(job, Stimulus())
    _coverage(plan).add_beats(job)
    _save(plan)
    if not plan.packets and "kind" not in job.sent(0):
        slowest = len(job.rows) + _LATENCY
        if outcome.cycles > slowest:
            raise MismatchError(f"{len(job.rows)} beats took {outcome.cycles} cycles, not one each")


async def random_stalls(top: Any, plan: Plan) -> None:
    """Valid and ready low at random, a little or most of the time."""
    runner = _Runner(top, plan)
    for stall_input, stall_output in _STALLS:
        stalls = Stimulus(stall_input=stall_input, stall_output=stall_output)
        await runner.run(_start(session.description().job, _SOME), stalls)


async def ready_after_valid(top: Any, plan: Plan) -> None:
    """A receiver that waits for tvalid before it is ready: tvalid may not wait for tready."""
    runner = _Runner(top, plan)
    await runner.run(session.description().job, Stimulus(wait_for_valid=True))


async def reset_in_midstream(top: Any, plan: Plan) -> None:
    """A reset at the first beat, at the last one, and anywhere, of one cycle or more."""
    runner = _Runner(top, plan)
    job = _start(session.description().job, _FEW)
    random = _random("reset")
    stalls = Stimulus(stall_output=0.3)
    for stimulus in (Stimulus(), stalls):
        cycles = (await runner.run(job, stimulus)).cycles
        at = {0, 1, cycles - 2, cycles - 1, *(random.randrange(cycles) for _ in range(4))}
        for cycle in sorted(at):
            length = random.randint(1, 3)
            await runner.run(job, replace(stimulus, resets=(cycle,), reset_cycles=length))
    await runner.run(job, replace(stalls, resets=(5, 9, 30)))


async def back_to_back(top: Any, plan: Plan) -> None:
    """The same packets again without a pause: nothing stays behind."""
    runner = _Runner(top, plan)
    await runner.run(_start(session.description().job, _FEW).repeated(3), Stimulus())


async def single(top: Any, plan: Plan) -> None:
    """One beat alone, or the first packet alone."""
    runner = _Runner(top, plan)
    job = session.description().job
    sent, taken = job.packets[0]
    if not plan.packets:
        first = next(i for i in range(sent) if not plan.skip(job.sent(i)))
        sent, taken = first + 1, 1
    for stimulus in (Stimulus(), Stimulus(stall_input=0.5, stall_output=0.5)):
        await runner.run(job.part(sent, taken), stimulus)


CHECKS: Final = (
    full_rate,
    random_stalls,
    ready_after_valid,
    reset_in_midstream,
    back_to_back,
    single,
)


def tests(plan: Plan, module: str) -> dict[str, object]:
    """Return a cocotb test of every check, by name, in the order in which they run.

    Args:
        plan: what is to be covered.
        module: the name of the module that takes them: cocotb finds tests among its globals.
    """
    return {check.__name__: cocotb.test(_on(plan, check, module)) for check in CHECKS}


def _on(
    plan: Plan, check: Callable[[Any, Plan], Coroutine[Any, Any, None]], module: str
) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """Return a check of one plan, under the name that cocotb reports: module and check."""

    async def test(top: Any) -> None:
        await check(top, plan)

    test.__doc__ = check.__doc__
    test.__name__ = test.__qualname__ = check.__name__
    test.__module__ = module
    return test


def _start(job: Job, beats: int) -> Job:
    """Return the first packets of a job, so many beats at most, but one packet at least."""
    parts = [part for part in job.packets if part[0] <= beats]
    return job.part(*(parts[-1] if parts else job.packets[0]))


class _Runner:
    """Runs jobs in one cocotb test, on one clock."""

    def __init__(self, top: Any, plan: Plan) -> None:
        self._ports = session.ports(top)
        self._plan = plan

    async def run(self, job: Job, stimulus: Stimulus) -> Outcome:
        """Run a job and collect the coverage of its stalls and resets.

        Raises:
            MismatchError: the design differs or breaks a rule; says where, and with what seed.
        """
        seed = _random(f"{stimulus}").getrandbits(32)
        limit = _PATIENCE if job.primitive == "conv_engine" else 4 * len(job.rows) + 1000
        stimulus = replace(stimulus, seed=seed, idle_limit=limit)
        outcome = await Bench(self._ports, job, stimulus, 1).run()
        if not outcome.agrees:
            raise MismatchError(_message(outcome, job, stimulus))
        _coverage(self._plan).add_events(outcome)
        _save(self._plan)
        return outcome


def _message(outcome: Outcome, job: Job, stimulus: Stimulus) -> str:
    words = [f"{outcome.differing} of {len(job.expected)} results differ"]
    words += [difference.line() for difference in outcome.differences]
    words += [f"{kind} at cycle {cycle}" for kind, (cycle, _) in outcome.problems.items()]
    words.append(f"{outcome.beats_in} beats accepted, {outcome.outstanding} results outstanding")
    return f"{'; '.join(words)}; {stimulus}, seed {session.description().stimulus.seed}"


def _random(purpose: str) -> Random:
    return Random(f"{session.description().stimulus.seed} {purpose}")  # noqa: S311


def _coverage(plan: Plan) -> Coverage:
    return _covered.setdefault(id(plan), Coverage(plan))


def _save(plan: Plan) -> None:
    session.write("coverage.json", _coverage(plan).to_json(session.description().nonce))
