"""A method that makes the same calls on the same tensors in every run: its calls, bound once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Call = Callable[[], object]


class BoundRun:
    """The calls of a method without jumps whose tensors all have fixed shapes.

    Args:
        inputs: the tensors that inputs are copied into, or values that the program fixes.
        calls: in their order, with every argument in them.
        outputs: the tensors that are returned as copies, or plain values.
    """

    def __init__(
        self, inputs: Sequence[Any], calls: Sequence[Call], outputs: Sequence[Any]
    ) -> None:
        self._inputs = [
            place.copy_ if isinstance(place, torch.Tensor) else None for place in inputs
        ]
        self.calls = list(calls)
        self._outputs = [
            (value, value.clone if isinstance(value, torch.Tensor) else None) for value in outputs
        ]

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs for inputs of the right number, types and shapes."""
        for copy, value in zip(self._inputs, inputs, strict=True):
            if copy is not None:
                copy(value)
        for call in self.calls:
            call()
        return [value if clone is None else clone() for value, clone in self._outputs]
