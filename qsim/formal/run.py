"""Many goals, in two processes at a time."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsim.errors import FileFormatError
from qsim.formal import yosys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from qsim.formal.circuit import Circuit
    from qsim.formal.goal import Goal, Problem, Verdict
    from qsim.golden import Case
    from qsim.target import Target

_loaded: list[Any] = []  # of a worker process: the task, what it loaded, the timeout


@dataclass(frozen=True)
class Task:
    """Goals about one elaboration of a core.

    Attributes:
        problem: the definition.
        core: the module's name.
        sources: its files.
        goals: what is to be proved.
        layers: those of a model, in its order, that the goals are about.
        note: what else a reader must know of the goals; empty where they say all.
    """

    problem: Problem
    core: str
    sources: tuple[Path, ...]
    goals: tuple[Goal, ...]
    layers: tuple[str, ...] = ()
    note: str = ""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Those of the module."""
        return self.problem.unit.parameters

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What else was assumed, as pairs of a word and what it says."""
        return ()

    @property
    def parted(self) -> bool:
        """Whether its goals are made of parts."""
        return any(goal.parts for goal in self.goals)

    @property
    def set(self) -> Mapping[str, int]:
        """Inputs that are constants in every goal, because the core has no port for them."""
        return {}

    def text(self) -> str:
        """Return the core as SMT-LIB.

        Raises:
            FileFormatError: yosys refuses a file.
            MissingToolError: no yosys or no z3.
        """
        return yosys.smt2(self.sources, self.core, self.problem.unit.parameters)

    def load(self, text: str) -> Any:
        """Return what :meth:`decide` needs of the core.

        Raises:
            FileFormatError: it has other ports than its problem.
        """
        return load(self.problem, text)

    def decide(self, loaded: Any, goal: Goal, timeout: float) -> Verdict:
        """Decide one goal; ``timeout`` is seconds for each query to the solver."""
        from qsim.formal.decide import decide

        return decide(self.problem, loaded, goal, timeout)

    def case(self, found: Verdict) -> Case:
        """Return a counterexample as a golden vector."""
        return self.problem.case(found.values)

    def replay(self, case: Case, target: Target) -> tuple[str, str] | None:
        """Simulate a counterexample; see ``qsim.formal.replaying``."""
        from qsim.formal.replaying import replay

        return replay(case, target, self.sources)


def prove(
    task: Task, timeout: float, workers: int, advance: Callable[[int], None] = lambda _count: None
) -> list[Verdict]:
    """Decide the goals of a task, until one has a counterexample.

    Args:
        task: what to prove.
        timeout: seconds for each query to the solver.
        workers: processes.
        advance: called with 1 when a goal is decided.

    Returns:
        The verdicts so far, in the order of the goals.

    Raises:
        FileFormatError: yosys refuses a file, or the core has other ports.
        MissingToolError: no yosys or no z3.
    """
    text = task.text()
    task.load(text)
    context = multiprocessing.get_context("spawn")
    verdicts: dict[int, Verdict] = {}
    jobs = [(index, goal) for index, goal in enumerate(task.goals)]
    start = (task, text, timeout)
    with context.Pool(min(workers, len(jobs)), _start, start) as pool:
        for index, verdict in pool.imap_unordered(_decide, jobs):
            verdicts[index] = verdict
            advance(1)
            if verdict.status == "counterexample":
                break
    return [verdicts[index] for index in sorted(verdicts)]


def load(problem: Problem, smt2: str) -> Circuit:
    """Return the core, if it has the ports of its problem.

    Raises:
        FileFormatError: a port that is missing, or has another width.
    """
    from qsim.formal.circuit import parse

    circuit = parse(smt2)
    bits = {field.name: field.bits for field in problem.unit.inputs.fields}
    wanted = {port: sum(bits[name] for name in names) for port, names in problem.ports.items()}
    wanted[problem.result.name] = problem.result.bits
    actual = {**circuit.inputs, **{name: term.size() for name, term in circuit.outputs.items()}}
    for port, width in wanted.items():
        if actual.get(port) != width:
            raise FileFormatError(
                f"the core must have a port {port} of {width} bits, not "
                f"{actual.get(port, 'none of this name')}",
                accepted=", ".join(f"{name} {bits}" for name, bits in wanted.items()),
            )
    return circuit


def _start(task: Task, text: str, timeout: float) -> None:
    _loaded[:] = [task, task.load(text), timeout]


def _decide(job: tuple[int, Goal]) -> tuple[int, Verdict]:
    task, loaded, timeout = _loaded
    return job[0], task.decide(loaded, job[1], timeout)
