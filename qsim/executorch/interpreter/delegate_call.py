"""The call of a delegate among the instructions of a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qsim.errors import ModelError
from qsim.executorch.delegates import OURS, DelegateModel, Expected
from qsim.executorch.interpreter import direct
from qsim.executorch.pte import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsim.executorch.interpreter.run import Run
    from qsim.executorch.pte import DelegateCall, Method


class DelegateStep:
    """One call of a delegate, on its Python model.

    Attributes:
        delegate: what the file says of it.
        where: the instruction, for messages.
        inputs, writes: values of the plan.

    Raises:
        ModelError: the backend has no model, or the call names outputs that are none.
        FileFormatError: it is ours, and damaged, of another version or of another target.
    """

    def __init__(self, method: Method, call: DelegateCall, number: int) -> None:
        self.delegate = method.delegates[call.delegate]
        self.where = f"instruction {number} (delegate {self.delegate.id})"
        self._model = DelegateModel(self.delegate, self.where)
        count = self._model.outputs()
        split = call.inputs if count is None else len(call.args) - count
        self.inputs, self.writes = call.args[: max(split, 0)], call.args[max(split, 0) :]
        self._values = method.values
        self._expected = []
        for index in self.writes:
            spec = method.values[index]
            if split < 0 or not isinstance(spec, TensorSpec) or spec.constant:
                raise ModelError(
                    f"{self.where} has outputs that its {len(call.args)} values are not"
                )
            sizes = tuple(None if spec.dynamic else size for size in spec.sizes)
            self._expected.append(Expected(f"value {index}", spec.dtype, sizes))

    def __call__(self, run: Run) -> None:
        """Compute.

        Raises:
            ModelError: an input was overwritten, or the model fails or returns what does not fit.
        """
        inputs = [run.read(index, self.where) for index in self.inputs]
        made = self._model(inputs, self._expected)
        for index, result in zip(self.writes, made, strict=True):
            run.put(index, result, self.where)

    def bind(self, run: Run) -> Callable[[], object]:
        """Return this call on the tensors that it had in a run, for runs that are all alike."""
        inputs = [run.values[index] for index in self.inputs]
        places = [run.values[index] for index in self.writes]

        def bound() -> None:
            made = self._model(inputs, self._expected)
            for place, result in zip(places, made, strict=True):
                place.copy_(result)

        function = self.function()
        if function is None:
            return bound
        arrays = [value.numpy() for value in inputs if isinstance(value, torch.Tensor)]
        return direct.on_places(function, arrays, [place.numpy() for place in places], bound)

    def function(self) -> direct.Function | None:
        """Return what computes it on arrays, with no torch between; None if nothing does."""
        given = [self._values[index] for index in self.inputs]
        if self.delegate.id != OURS:
            return None
        return direct.function_of(
            self.delegate,
            [spec for spec in given if isinstance(spec, TensorSpec)],
            [expected.dtype for expected in self._expected],
        )
