"""A session: a network with what it keeps from one step to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.errors import InputError, UsageError
from qsim.network.recorder import Recorder
from qsim.program import as_array, check_input, is_int, present

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.network.lowered import Lowered
    from qsim.network.recorder import HostObserver
    from qsim.network.trace import Trace
    from qsim.program import Array


class Session:
    """A run of a network over steps: each reads the states that the one before it left.

    Sessions of one network know nothing of one another. One session belongs to one thread at a
    time. A step that is refused leaves the states as they were.

    Attributes:
        network: what it runs.
        batch: samples whose states it holds; None where the model fixes their shapes.
        steps: how many were run since it began; a sequence of any length within bounds counts as
            many as it is long.
    """

    def __init__(self, network: Lowered, batch: int | None = None) -> None:
        free = any(state.batched for state in network.states)
        if batch is not None and (not is_int(batch) or batch < 1):
            raise UsageError.of("batch must be a number of samples", batch, "1 or more")
        if batch is not None and network.states and not free:
            fixed = sorted({state.value.shape[0] for state in network.states if state.value.shape})
            if fixed and batch not in fixed:
                raise UsageError(
                    f"the model fixes the batch of its states, so batch={batch} is none of theirs",
                    where="session",
                    accepted=" or ".join(map(str, fixed)),
                )
        self.network = network
        self.batch = (batch or 1) if free else None
        self.steps = 0
        self._held: dict[str, Array] = {}
        self.reset()

    def reset(self) -> None:
        """Begin again from the initial values."""
        self._held = {
            state.value.name: state.begin(self.batch or 1) for state in self.network.states
        }
        self.steps = 0

    @property
    def states(self) -> dict[str, Array]:
        """Copies of what the next step reads, by the names of the model's buffers."""
        return {state.name: np.array(self._held[state.value.name]) for state in self.network.states}

    def restore(self, states: Mapping[str, Any], steps: int | None = None) -> None:
        """Go on from states of this network or of one whose states are the same.

        Args:
            states: what ``Session.states`` returned: each state by its name.
            steps: how many steps they stand for, where that is to be counted on.

        Raises:
            InputError: a state is missing or unknown, of another shape or dtype, or no code.
        """
        known = {state.name: state for state in self.network.states}
        if set(states) != set(known):
            odd = min(set(states) ^ set(known))
            raise InputError.of("states must be those of the network", odd, ", ".join(known))
        held = {}
        for name, state in known.items():
            array = as_array(states[name], state.value)
            try:
                check_input(array, state.value, self.batch)
            except InputError as error:
                raise InputError.placed(error, f"state {name!r}") from None
            held[state.value.name] = np.array(array)
        self._held = held
        self.steps = self.steps if steps is None else steps

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Run one step; arguments, results and errors are those of a call of the network.

        Raises:
            InputError: also for a batch of another size than the session's.
        """
        given = self.network.ordered(inputs, named)
        network = self.network.of(given)
        arrays, torch_in, batch = network.arrays(given)
        values = self._step(network, arrays, batch, None)
        return network.presented(values, arrays, as_torch=torch_in)

    def trace(self, *inputs: Any, host: HostObserver | None = None, **named: Any) -> Trace:
        """Run one step and keep every tensor and ledger; arguments as ``Lowered.trace``."""
        given = self.network.ordered(inputs, named)
        network = self.network.of(given)
        arrays, _, batch = network.arrays(given)
        recorder = Recorder(host)
        values = self._step(network, arrays, batch, recorder)
        return network.traced(values, recorder, batch)

    def generate(self, tokens: Sequence[int], count: int) -> list[int]:
        """Return so many tokens that follow, each the most likely one: see ``generate``."""
        from qsim.network.generation import generate

        return generate(self, tokens, count)

    def _step(
        self,
        network: Lowered,
        arrays: list[Array],
        batch: int | None,
        recorder: Recorder | None,
    ) -> dict[str, Any]:
        if self.batch is not None and batch not in (None, self.batch):
            raise InputError(
                f"the session holds states of a batch of {self.batch}, not {batch}",
                where=f"input {self.network.inputs[0].name!r}",
                accepted=f"{self.batch}, or a session of its own with batch={batch}",
            )
        values = network.step(arrays, self._held, recorder)
        returned = {spec.name for spec in network.outputs}
        made = {}
        for state in network.states:
            name = state.made
            value = present(values[name], name, [*arrays, *self._held.values()], as_torch=False)
            # Who gets an output may write into it.
            made[state.value.name] = np.array(value) if name in returned else value
        self._held = made
        lengths = self.network.lengths
        if lengths is None:
            self.steps += 1
        else:
            index, axis = lengths.axes[0]
            self.steps += arrays[index].shape[axis]
        return values
