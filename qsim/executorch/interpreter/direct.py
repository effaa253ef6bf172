"""Our delegates on NumPy arrays: once a run has been checked, torch need not stand between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from qsim.executorch.delegates import open_blob, watching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.executorch.pte import Delegate, TensorSpec
    from qsim.program import Array

    Function = Callable[..., Any]


def function_of(
    delegate: Delegate, inputs: Sequence[TensorSpec], outputs: Sequence[torch.dtype]
) -> Function | None:
    """Return what computes the arrays of one of our delegates: one, or a tuple of them.

    The Program alone, where the network is nothing else. None where a value comes in another
    container than the network's: codes of 9 to 31 unsigned bits.
    """
    network = open_blob(delegate.blob, delegate.compile_specs)
    wanted = [spec.dtype for spec in (*network.inputs, *network.outputs)]
    found = [*(spec.dtype for spec in inputs), *outputs]
    if [str(dtype) for dtype in found] != [f"torch.{dtype}" for dtype in wanted]:
        return None
    if network.lengths is not None:
        return network  # its own Programs are those of the longest sequence
    (step, *others) = network.steps
    names = tuple(tuple(spec.name for spec in specs) for specs in (network.inputs, network.outputs))
    if step.kind == "program" and not others and (step.inputs, step.outputs) == names:
        return network.programs[0].run
    return network


def on_places(
    function: Function,
    arrays: Sequence[Array],
    places: Sequence[Array],
    otherwise: Callable[[], object],
) -> Callable[[], object]:
    """Return the call of a function on arrays that stay where they are.

    Args:
        function: of a delegate.
        arrays: what it reads.
        places: where its results go.
        otherwise: what runs while somebody watches delegates.
    """

    def call() -> None:
        if watching():
            otherwise()
            return
        for place, result in zip(places, _several(function(*arrays)), strict=True):
            np.copyto(place, result)

    return call


class AloneRun:
    """A method that is one delegate of ours: nothing else reads or writes the plan's memories.

    Args:
        function: of the delegate.
        inputs, outputs: what the plan has for them.
        otherwise: runs the method on its memories.
    """

    def __init__(
        self,
        function: Function,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        otherwise: Callable[[Sequence[Any]], list[Any]],
    ) -> None:
        self._function = function
        self._inputs = [
            (torch.empty(0, dtype=spec.dtype).numpy().dtype, None if spec.dynamic else spec.sizes)
            for spec in inputs
        ]
        self._open = [(at, spec) for at, spec in enumerate(inputs) if spec.dynamic]
        self._bounded = [(at, spec) for at, spec in enumerate(outputs) if spec.dynamic]
        self._otherwise = otherwise

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs for inputs of the right number, types and shapes."""
        made = self.take(inputs)
        return self._otherwise(inputs) if made is None else made

    def take(self, inputs: Sequence[Any]) -> list[Any] | None:
        """Return the outputs for whatever the caller gave; None where that needs a closer look.

        So it is while somebody watches delegates, and with anything that the plan does not have.
        """
        if watching() or len(inputs) != len(self._inputs):
            return None
        arrays = []
        for value, (dtype, sizes) in zip(inputs, self._inputs, strict=True):
            if type(value) is not torch.Tensor:
                return None
            try:
                array = value.numpy()
            except (RuntimeError, TypeError):  # gradients, another device, not dense
                return None
            if array.dtype is not dtype or (sizes is not None and array.shape != sizes):
                return None
            arrays.append(array)
        if not all(spec.fits(arrays[at].shape) for at, spec in self._open):
            return None
        made = _several(self._function(*arrays))
        if not all(spec.fits(made[at].shape) for at, spec in self._bounded):
            return None
        return [torch.from_numpy(array) for array in made]


def _several(made: Any) -> tuple[Array, ...]:
    return made if isinstance(made, tuple) else (made,)
