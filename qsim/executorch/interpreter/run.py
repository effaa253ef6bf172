"""What one run of a method holds: the value of every index, and where and whose its bytes are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from qsim.errors import ModelError
from qsim.executorch.inputs import shown
from qsim.executorch.interpreter.memory import Memory
from qsim.executorch.pte import TensorSpec

if TYPE_CHECKING:
    from qsim.executorch.pte import Method


class State:
    """The values of a method before it runs, and its memories, which outlive a run."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.memory = Memory(method)
        self.values = [self._initial(index) for index in range(len(method.values))]

    def _initial(self, index: int) -> Any:
        spec = self.method.values[index]
        if not isinstance(spec, TensorSpec):
            return spec
        if spec.arena is None:
            return _constant(spec) if spec.data is not None else None
        tensor = self.memory.view(spec, spec.sizes)
        if spec.data is not None:
            tensor.copy_(_constant(spec))
            self.memory.wrote(self.memory.pieces[index], index, -1)
        return tensor


def _constant(spec: TensorSpec) -> torch.Tensor:
    """Return a tensor of its own memory with the initial bytes of a spec."""
    if not spec.nbytes:
        return torch.empty(spec.sizes, dtype=spec.dtype)
    flat = torch.frombuffer(bytearray(spec.data or b""), dtype=spec.dtype)
    return flat.as_strided(spec.sizes, spec.strides(spec.sizes))


class Run:
    """One run.

    Args:
        state: what outlives it.
        views: the planned tensors that no instruction writes, and that are no inputs: the emitter
            leaves out a view that moves no bytes, and gives it the place of what it looks at.
        checked: whether reads are checked, and what that needs is kept; False where an earlier run
            has shown that this one does the same and finds nothing.

    Attributes:
        values: by index, as the instructions have left them so far.
        instruction: the number of the one that runs.
    """

    def __init__(self, state: State, views: frozenset[int], *, checked: bool = True) -> None:
        self.method = state.method
        self._checked = checked
        self._views = views
        self.memory = state.memory
        self.values = list(state.values)
        self._kept = state.values
        self.instruction = -1
        self._pieces = list(state.memory.pieces)
        # A view and what it looks at are one owner, as is a value and where it was moved.
        self._owners = list(range(len(self.values)))

    def read(self, index: int, reader: str) -> Any:
        """Return a value; if it is a planned tensor, after checking that it is still there.

        Raises:
            ModelError: it has no bytes yet, or somebody wrote over them.
        """
        value = self.values[index]
        spec = self.method.values[index]
        if isinstance(spec, TensorSpec):
            if value is None:
                raise ModelError(f"{reader} reads value {index} ({spec}), which has no data")
            if self._checked:
                if index in self._views:
                    self._adopt(index)
                owner, pieces = self._owners[index], self._pieces[index]
                if not self.memory.holds(pieces, owner):
                    self.memory.check(pieces, owner, f"value {index} ({spec})", reader)
        return value

    def _adopt(self, index: int) -> None:
        """Let a value that nothing writes be a view of what is at its place when first read."""
        pieces = self._pieces[index]
        if pieces is not None and self._owners[index] == index:
            holder = self.memory.holder(pieces)
            self._owners[index] = index if holder is None else holder

    def wrote(self, index: int) -> None:
        """Remember that an instruction wrote a tensor."""
        if self._checked:
            self.memory.wrote(self._pieces[index], self._owners[index], self.instruction)

    def put(self, index: int, source: torch.Tensor, who: str) -> None:
        """Copy a tensor into the place of a value.

        Raises:
            ModelError: the type or the shape does not fit.
        """
        spec = self.spec(index)
        sizes = tuple(source.shape)
        if source.dtype != spec.dtype or not spec.fits(sizes):
            raise ModelError(f"{who} made {shown(source)} for value {index}", accepted=str(spec))
        self.resize(index, sizes)
        self.values[index].copy_(source)
        self.wrote(index)

    def resize(self, index: int, sizes: tuple[int, ...]) -> None:
        """Let a tensor have other sizes, at the same place; outside the plan, at a new one."""
        spec = self.spec(index)
        held = self.values[index]
        if spec.arena is None:
            self.values[index] = torch.empty_strided(sizes, spec.strides(sizes), dtype=spec.dtype)
        elif held is None or tuple(held.shape) != sizes:
            self.values[index] = view = self.memory.view(spec, sizes)
            if spec.data is None:
                self._kept[index] = view  # the next run may well have the same sizes

    def alias(self, index: int, source: int, tensor: torch.Tensor) -> None:
        """Let a value be a view of another value's bytes."""
        self.values[index] = tensor
        self._pieces[index] = self._pieces[source]
        self._owners[index] = self._owners[source]

    def move(self, source: int, target: int) -> None:
        """Let a value be what another is."""
        self.alias(target, source, self.values[source])

    def spec(self, index: int) -> TensorSpec:
        """Return the plan of a tensor."""
        spec = self.method.values[index]
        assert isinstance(spec, TensorSpec)  # noqa: S101 - callers checked it before the run
        return spec
