"""One delegate on the Python model of its backend, for a ``.pte`` and for an edge program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from qsim.errors import ModelError, QsimError
from qsim.executorch import inputs, registry
from qsim.executorch.delegates.blob import open_blob, run_blob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.executorch.pte import Delegate
    from qsim.executorch.registry import Count, Model


@dataclass(frozen=True, slots=True)
class Expected:
    """An output that a program expects of a delegate.

    Attributes:
        name: what it is in the program.
        dtype: element type.
        sizes: the shape; None for a size that is known at run time only.
    """

    name: str
    dtype: torch.dtype
    sizes: tuple[int | None, ...]

    def __str__(self) -> str:
        shape = ", ".join("any" if size is None else str(size) for size in self.sizes)
        return f"{str(self.dtype).removeprefix('torch.')} [{shape}]"


class DelegateModel:
    """A delegate that can run.

    Args:
        delegate: what the program says of it.
        where: the delegate, for messages.

    Raises:
        ModelError: the backend has no model.
        FileFormatError: it is ours, and damaged, of another version or of another target.
    """

    def __init__(self, delegate: Delegate, where: str) -> None:
        self._delegate, self._where = delegate, where
        if delegate.id == registry.OURS:
            open_blob(delegate.blob, delegate.compile_specs)
        self._model, self._count = _model_of(delegate.id)

    def outputs(self) -> int | None:
        """Return how many outputs it has; None where its backend's model does not say."""
        return None if self._count is None else self._count(self._delegate.blob)

    def __call__(self, given: Sequence[Any], expected: Sequence[Expected]) -> list[torch.Tensor]:
        """Return its outputs, as many and of the types and shapes that the program expects.

        Raises:
            ModelError: the model failed with an exception of its own, or returned something else.
        """
        delegate = self._delegate
        try:
            made = self._model(delegate.blob, given, delegate.compile_specs)
        except QsimError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            raise ModelError(
                f"{self._where}: its model failed with {type(error).__name__}: {text}"
            ) from error
        results = made if isinstance(made, (tuple, list)) else [made]
        if len(results) != len(expected):
            raise ModelError(
                f"{self._where} returned {len(results)} outputs", accepted=str(len(expected))
            )
        return [_checked(*pair, self._where) for pair in zip(results, expected, strict=True)]


def _model_of(backend_id: str) -> tuple[Model, Count | None]:
    if backend_id == registry.OURS:
        return run_blob, lambda blob: len(open_blob(blob).outputs)
    return registry.model_of(backend_id)


def _checked(result: Any, expected: Expected, where: str) -> torch.Tensor:
    if isinstance(result, torch.Tensor):
        tensor = result.detach()
    else:
        try:
            tensor = torch.from_numpy(np.ascontiguousarray(result).reshape(np.shape(result)))
        except (TypeError, ValueError):
            raise ModelError(
                f"{where} returned a {type(result).__name__}", accepted="a tensor or an array"
            ) from None
    sizes = tuple(tensor.shape)
    fits = len(sizes) == len(expected.sizes) and all(
        wanted in (None, size) for size, wanted in zip(sizes, expected.sizes, strict=True)
    )
    if tensor.dtype != expected.dtype or not fits:
        raise ModelError(
            f"{where} made {inputs.shown(tensor)} for {expected.name}", accepted=str(expected)
        )
    return tensor
