"""What a network keeps from one step to the next: the values it begins with, and how they fit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.errors import ModelError
from qsim.program import check_name, check_range, contiguous, show_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat
    from qsim.network.steps import Step, ValueSpec
    from qsim.program import Array, Program


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A value that a step of the network reads, and the one that the next step reads instead.

    Attributes:
        name: of the buffer in the model, such as ``layers.0.k_cache``.
        value: what the steps read: its name, shape, dtype, and scale where it is codes.
        made: the name of the value, of the same kind, that the next step reads.
        initial: the array that the first step reads, of the value's dtype and of its shape, or of
            a shape that NumPy broadcasts to it: one number for all.
    """

    name: str
    value: ValueSpec
    made: str
    initial: Array

    def __post_init__(self) -> None:
        check_name(self.name, "State.name")
        check_name(self.made, "State.made")
        where = f"state {self.name!r}"
        array = self.initial
        if not isinstance(array, np.ndarray) or str(array.dtype) != self.value.dtype:
            found = getattr(array, "dtype", type(array).__name__)
            raise ModelError.of(
                f"{where}: initial must be an array of its dtype", str(found), self.value.dtype
            )
        held = contiguous(array, self.name)
        held.setflags(write=False)
        object.__setattr__(self, "initial", held)
        try:
            self.begin(1)
        except ValueError:
            raise ModelError.of(
                f"{where}: initial must have its shape, or broadcast to it",
                show_shape(held.shape),
                show_shape(self.value.shape),
            ) from None
        if self.value.format is not None:
            check_range(held, self.value.format, f"{where}: initial")

    @property
    def batched(self) -> bool:
        """Whether it has a row for each sample of a batch of any size."""
        return self.value.shape[:1] == (-1,)

    def begin(self, batch: int) -> Array:
        """Return what the first step reads, for a batch."""
        shape = (batch, *self.value.shape[1:]) if self.batched else self.value.shape
        return np.broadcast_to(self.initial, shape)


def check_states(states: Sequence[State], known: Mapping[str, FixedFormat | None]) -> None:
    """Require states of different names whose new values are made, of their own format.

    Raises:
        ModelError: naming the state.
    """
    names = [state.name for state in states]
    if len(set(names)) != len(names):
        raise ModelError.of("two states have one name", names, "unique names")
    for state in states:
        where = f"state {state.name!r}"
        if state.made not in known:
            raise ModelError(
                f"nothing makes {state.made!r}", where=where, accepted="a value of an input or step"
            )
        # Of integers and floats that stand for themselves, a step's result tells the type.
        stands = state.value.format is None
        if not stands and _codes(known[state.made]) != _codes(state.value.format):
            raise ModelError.of(
                "its new value must have its format",
                str(known[state.made]),
                str(state.value.format),
                where=where,
            )


def _codes(form: FixedFormat | None) -> tuple[int, int] | None:
    return None if form is None else (form.min, form.max)


def in_programs(
    programs: Sequence[Program], steps: Sequence[Step], states: Sequence[State]
) -> list[Program]:
    """Return Programs that know which of their inputs and outputs are states.

    Only a Program that both reads a state and makes its new value has a place for it.
    """
    found = list(programs)
    for step in steps:
        if step.kind != "program":
            continue
        at: Any = step.attributes["program"]
        program = found[at]
        pairs = []
        for state in states:
            if state.value.name in step.inputs and state.made in step.outputs:
                before = program.inputs[step.inputs.index(state.value.name)]
                after = program.outputs[step.outputs.index(state.made)]
                pairs.append((before, after))
        if tuple(pairs) != program.states:
            found[at] = dataclasses.replace(program, states=tuple(pairs))
    return found
