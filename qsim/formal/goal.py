"""What is to be proved, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.cosim.jobs import Field, Unit
    from qsim.golden import Case

Status: TypeAlias = Literal["proven", "counterexample", "not proven"]


@dataclass(frozen=True)
class Goal:
    """One query: inputs that are constants; all others are free.

    Attributes:
        name: for people, such as ``shift 17``.
        fixed: values of inputs, as integers.
        hints: further values of inputs, to look for a counterexample with when the goal is not
            proved after the product.
        layers: those of a model whose constants these are.
        parts: what of it a model needs: if it is not proved after the product, these are asked.
    """

    name: str
    fixed: Mapping[str, int]
    hints: Sequence[Mapping[str, int]] = ()
    layers: tuple[str, ...] = ()
    parts: tuple[Goal, ...] = ()


@dataclass(frozen=True)
class Formula:
    """A goal in z3's terms.

    Attributes:
        assumptions: the preconditions.
        expected: the result by the definition, a bit-vector so wide that nothing wraps.
    """

    assumptions: tuple[Any, ...]
    expected: Any


class Problem(Protocol):
    """A combinational core and its definition. Plain data: it is sent to other processes."""

    @property
    def unit(self) -> Unit:
        """Module, parameters and fields."""

    @property
    def ports(self) -> Mapping[str, tuple[str, ...]]:
        """The core's inputs: the fields that each takes, least significant first."""

    @property
    def result(self) -> Field:
        """The core's output."""

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What is assumed, in words."""

    def formula(self, inputs: Mapping[str, Any], goal: Goal) -> Formula:
        """Return the goal over these inputs: bit-vectors of their fields' widths."""

    def case(self, values: Mapping[str, int]) -> Case:
        """Return integers as a golden vector: the fields, by name.

        Its expected code is by the definition, on integers. It has one element, or the attribute
        ``element`` of the problem says which one is the core's output.
        """


@dataclass(frozen=True)
class Verdict:
    """What came of one goal.

    Attributes:
        goal: its name.
        status: ``not proven`` where the time was not enough.
        seconds: of the solver.
        products: how many products were cut out; 0 where they were kept.
        values: of every input, in a counterexample.
        expected, actual: the codes of a counterexample.
        cycles: a counterexample over time: the signals in each cycle, from a reset on.
        beats: of a counterexample that needs several operations: the inputs of each, in their
            order; ``values`` are those of the wrong one.
        note: why it is not proven, where it is not the time.
    """

    goal: str
    status: Status
    seconds: float
    products: int = 0
    values: Mapping[str, int] = field(default_factory=dict)
    expected: int = 0
    actual: int = 0
    cycles: tuple[Mapping[str, int], ...] = ()
    beats: tuple[Mapping[str, int], ...] = ()
    note: str = ""
