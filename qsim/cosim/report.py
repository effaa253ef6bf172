"""What a co-simulation found, call by call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qsim.cosim.lanes import Stimulus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qsim.cosim.coverage import Coverage
    from qsim.cosim.explaining import Explanation
    from qsim.cosim.lanes import LaneName
    from qsim.mismatch import Mismatch
    from qsim.target import Target


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Elements of a call that were not compared, because the design cannot be given their operands.

    Attributes:
        reason: what it cannot take.
        elements: how many.
    """

    reason: str
    elements: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"reason": self.reason, "elements": self.elements}


@dataclass(frozen=True, slots=True)
class CallResult:
    """One call on the RTL.

    Attributes:
        name, layer, primitive: of the case.
        module: what computed it.
        elements: of its result, compared.
        cycles: from the end of reset to the last output beat.
        mismatches: elements that differ.
        first: the first of them, or None.
        problems: everything else that is wrong, one line each: no progress, a beat too much, a
            broken handshake, a wrong tlast; and under what stalls, if none of it is seen without.
        seconds: of the simulation.
        cycle: of ``first``, or of the first problem; None where nothing is wrong.
        waves: the file with the cycles around the first difference, where asked for.
        stimulus: how beats were offered and taken when this was found.
        warnings: of somebody else's design while it ran, with file and line.
        explanation: of the first difference, or of what is wrong beside elements: operands, what
            the definition does with them, and what explains all; None where there is none.
        left_out: elements that were not compared, by reason.
        events: how often a side waited; None where the lane does not count that.
    """

    name: str
    layer: str
    primitive: str
    module: str
    elements: int
    cycles: int
    mismatches: int
    first: Mismatch | None
    problems: tuple[str, ...]
    seconds: float
    cycle: int | None = None
    waves: Path | None = None
    stimulus: Stimulus = field(default_factory=Stimulus)
    warnings: tuple[str, ...] = ()
    explanation: Explanation | None = None
    left_out: tuple[LeftOut, ...] = ()
    events: Mapping[str, int] | None = None

    @property
    def agrees(self) -> bool:
        """Whether nothing differs and no rule is broken."""
        return not self.mismatches and not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "name": self.name,
            "layer": self.layer,
            "primitive": self.primitive,
            "module": self.module,
            "elements": self.elements,
            "cycles": self.cycles,
            "mismatches": self.mismatches,
            "first": None if self.first is None else self.first.to_dict(),
            "problems": list(self.problems),
            "seconds": self.seconds,
            "waves": None if self.waves is None else str(self.waves),
            "explanation": None if self.explanation is None else self.explanation.to_dict(),
            "left_out": [each.to_dict() for each in self.left_out],
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """A call that did not go through RTL, and why."""

    name: str
    layer: str
    primitive: str
    elements: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "name": self.name,
            "layer": self.layer,
            "primitive": self.primitive,
            "elements": self.elements,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Report:
    """A co-simulation.

    Attributes:
        source: what was simulated: a model, a golden set, a primitive.
        simulator, version: what simulated it.
        lane: which bench.
        target: the contract of both sides; None of a block that no primitive is.
        seed: of stalls, of drawn vectors, of what reset leaves.
        calls: in the order of execution.
        skipped: calls without RTL.
        seconds: all of it, with builds.
        build_seconds: the builds alone; next to nothing when they are kept from before.
        warnings: what compilers and the simulator said of somebody else's design, each once, with
            file and line: also where the build is kept from before.
        coverage: what the calls of each primitive reached, where asked for.
    """

    source: str
    simulator: str
    version: str
    lane: LaneName
    target: Target | None
    seed: int
    calls: tuple[CallResult, ...]
    skipped: tuple[Skipped, ...]
    seconds: float
    build_seconds: float
    warnings: tuple[str, ...] = ()
    coverage: tuple[Coverage, ...] = ()

    @property
    def elements(self) -> int:
        """Elements that were compared."""
        return sum(call.elements for call in self.calls)

    @property
    def mismatches(self) -> int:
        """Elements that differ."""
        return sum(call.mismatches for call in self.calls)

    @property
    def left_out(self) -> int:
        """Elements of these calls that were not compared: the design cannot take their operands."""
        return sum(each.elements for call in self.calls for each in call.left_out)

    @property
    def differing(self) -> tuple[CallResult, ...]:
        """The calls on which something is wrong."""
        return tuple(call for call in self.calls if not call.agrees)

    @property
    def ok(self) -> bool:
        """Whether every bit that was compared agrees; see ``left_out`` and ``skipped``."""
        return not self.differing

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``--json``."""
        return {
            "source": self.source,
            "simulator": self.simulator,
            "version": self.version,
            "lane": self.lane,
            "target": self.target and {"name": self.target.name, "hash": self.target.hash},
            "seed": self.seed,
            "elements": self.elements,
            "mismatches": self.mismatches,
            "left_out": self.left_out,
            "ok": self.ok,
            "seconds": self.seconds,
            "build_seconds": self.build_seconds,
            "warnings": list(self.warnings),
            "calls": [call.to_dict() for call in self.calls],
            "skipped": [each.to_dict() for each in self.skipped],
            "coverage": [each.to_dict() for each in self.coverage],
        }
