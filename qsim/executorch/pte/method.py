"""A method of a ``.pte`` as plain values: what it computes on, what it calls, in which order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import torch


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor of the plan.

    Attributes:
        dtype: element type.
        sizes: the shape; for a dynamic tensor its upper bound, dimension by dimension.
        dim_order: the dimensions from the outermost in memory to the innermost.
        dynamic: the shape is known at run time only, within the bound.
        arena: ``(memory id, offset in bytes)`` where the plan puts it; None where it has no place.
        data: the initial bytes, which a constant keeps; None where there are none.
    """

    dtype: torch.dtype
    sizes: tuple[int, ...]
    dim_order: tuple[int, ...]
    dynamic: bool
    arena: tuple[int, int] | None
    data: memoryview | None

    @property
    def constant(self) -> bool:
        """Whether nothing may write it."""
        return self.data is not None and self.arena is None

    @property
    def nbytes(self) -> int:
        """Bytes of the shape, or of its bound."""
        return math.prod(self.sizes) * self.dtype.itemsize

    def strides(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the strides, in elements, of a tensor of these sizes in this dim order."""
        result = [0] * len(sizes)
        step = 1
        for dim in reversed(self.dim_order):
            result[dim] = step
            # As torch: a dimension of no elements counts as one.
            step *= max(sizes[dim], 1)
        return tuple(result)

    def fits(self, sizes: Sequence[int]) -> bool:
        """Return whether a tensor of these sizes may be where this one is planned."""
        if not self.dynamic:
            return tuple(sizes) == self.sizes
        # As ExecuTorch's runtime: the rank, and the number of elements within the bound's.
        return len(sizes) == len(self.sizes) and math.prod(sizes) <= math.prod(self.sizes)

    def __str__(self) -> str:
        shape = ", ".join(f"<={n}" if self.dynamic else str(n) for n in self.sizes)
        return f"{str(self.dtype).removeprefix('torch.')} [{shape}]"


@dataclass(frozen=True, slots=True)
class Indices:
    """A list whose items are other values of the plan: IntList, TensorList, OptionalTensorList."""

    kind: str
    items: tuple[int, ...]


# What a value is before the program runs; list of numbers or flags: DoubleList, BoolList.
Value = TensorSpec | Indices | list[float] | list[bool] | int | float | bool | str | None


@dataclass(frozen=True, slots=True)
class KernelCall:
    """Call operator ``operator`` with these values."""

    operator: int
    args: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DelegateCall:
    """Run a delegate.

    Attributes:
        delegate: index of it.
        args: its inputs, then its outputs.
        inputs: how many are inputs. The file does not say: the values up to the last one that
            something made before, and one at least. A model that knows better is asked.
    """

    delegate: int
    args: tuple[int, ...]
    inputs: int


@dataclass(frozen=True, slots=True)
class MoveCall:
    """Let a value be what another is."""

    source: int
    target: int


@dataclass(frozen=True, slots=True)
class JumpFalseCall:
    """Go on at another instruction if a value is false."""

    condition: int
    target: int


@dataclass(frozen=True, slots=True)
class FreeCall:
    """Give the memory of a tensor back."""

    value: int


Instruction = KernelCall | DelegateCall | MoveCall | JumpFalseCall | FreeCall


@dataclass(frozen=True, slots=True)
class Delegate:
    """A part of the network that another program computes.

    Attributes:
        id: the name of the backend.
        blob: its bytes, as the backend's ``preprocess`` made them.
        compile_specs: the options that it was made with.
    """

    id: str
    blob: bytes
    compile_specs: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Method:
    """One entry point of a program.

    Attributes:
        name: ``forward``, for one.
        values: every value, by index.
        inputs, outputs: indices of values.
        chains: instructions in order; a chain follows the one before it.
        operators: full names, as ``aten::add.out``.
        delegates: by index.
        arenas: size in bytes of every planned memory, by memory id; 0 is not used.
    """

    name: str
    values: tuple[Value, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    chains: tuple[tuple[Instruction, ...], ...]
    operators: tuple[str, ...]
    delegates: tuple[Delegate, ...]
    arenas: tuple[int, ...]


def usual(methods: Iterable[str]) -> str:
    """Return the method that is meant where none is named: ``forward``, or else the first."""
    names = list(methods)
    return "forward" if "forward" in names else names[0]
