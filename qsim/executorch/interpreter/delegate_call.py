"""The call of a delegate among the instructions of a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from qsim.errors import ModelError
from qsim.executorch import registry
from qsim.executorch.interpreter import direct
from qsim.executorch.pte.method import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsim.executorch.interpreter.run import Run
    from qsim.executorch.pte.method import DelegateCall, Method


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
        registry.check(self.delegate.id, self.delegate.blob, self.delegate.compile_specs)
        self._model, count = registry.model_of(self.delegate.id)
        split = call.inputs if count is None else len(call.args) - count(self.delegate.blob)
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
            self._expected.append(registry.Expected(f"value {index}", spec.dtype, sizes))

    def __call__(self, run: Run) -> None:
        """Compute.

        Raises:
            ModelError: an input was overwritten, or the model fails or returns what does not fit.
        """
        inputs = [run.read(index, self.where) for index in self.inputs]
        for index, result in zip(self.writes, self._made(inputs), strict=True):
            run.put(index, result, self.where)

    def _made(self, inputs: list[Any]) -> list[torch.Tensor]:
        model, delegate = self._model, self.delegate
        return registry.call(
            lambda: model(delegate.blob, inputs, delegate.compile_specs),
            self._expected,
            self.where,
        )

    def bind(self, run: Run) -> Callable[[], object]:
        """Return this call on the tensors that it had in a run, for runs that are all alike."""
        inputs = [run.values[index] for index in self.inputs]
        places = [run.values[index] for index in self.writes]

        def bound() -> None:
            for place, result in zip(places, self._made(inputs), strict=True):
                place.copy_(result)

        function = self.function()
        if function is None:
            return bound
        arrays = [value.numpy() for value in inputs if isinstance(value, torch.Tensor)]
        return direct.on_places(function, arrays, [place.numpy() for place in places], bound)

    def function(self) -> direct.Function | None:
        """Return what computes it on arrays, with no torch between; None if nothing does."""
        given = [self._values[index] for index in self.inputs]
        if self.delegate.id != registry.OURS:
            return None
        return direct.function_of(
            self.delegate,
            [spec for spec in given if isinstance(spec, TensorSpec)],
            [expected.dtype for expected in self._expected],
        )
