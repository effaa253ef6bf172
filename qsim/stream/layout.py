"""How a tensor lies in the arena: its type, its sizes and the order of its dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.program import Array, ProgramData

# Primitives with windows, which read and write their channels innermost.
WINDOWED: Final = frozenset({"correlation", "transposed_correlation", "max_pool", "avg_pool"})
# Primitives whose result lies as their operands do: element i depends on element i only, or moves
# along its own dimension.
ALIKE: Final = frozenset(
    {"add", "bias_add", "clamp", "lookup", "maximum", "minimum", "mul", "requantize", "sub"}
    | {"concat", "gather", "pad", "resize", "resize_scaled", "strided_slice"}
    | {"interpolate", "prelu", "shift_right", "softmax"}
)


@dataclass(frozen=True, slots=True)
class Layout:
    """A tensor in the arena.

    Attributes:
        shape: sizes, the batch included.
        order: its dimensions as they lie in memory, outermost first.
        dtype: of an element.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes."""
        return self.size * self.dtype.itemsize

    @property
    def memory(self) -> tuple[int, ...]:
        """Sizes as they lie in memory."""
        return tuple(self.shape[axis] for axis in self.order)

    @property
    def strides(self) -> tuple[int, ...]:
        """Distances between neighbours, in elements, by logical dimension."""
        strides = [0] * len(self.shape)
        step = 1
        for axis in reversed(self.order):
            strides[axis] = step
            step *= self.shape[axis]
        return tuple(strides)

    @property
    def plain(self) -> bool:
        """Whether elements lie in logical order (dimensions of size 1 lie anywhere)."""
        long = [axis for axis in self.order if self.shape[axis] != 1]
        return long == sorted(long)

    def view(self, memory: Array, offset: int) -> Array:
        """Return the tensor's elements in flat bytes as an array of its shape."""
        flat = memory[offset : offset + self.bytes].view(self.dtype)
        back = np.argsort(self.order) if self.order else ()
        return flat.reshape(self.memory).transpose(tuple(int(axis) for axis in back))


def layouts(program: ProgramData, batch: int) -> Mapping[str, Layout]:
    """Return the layout of every tensor of a Program: channels last where windows need it."""
    tensors = program.tensors.keys() - program.constants.keys()
    last = _channels_last(program)
    found = {}
    for name in tensors:
        spec = program.tensors[name]
        shape = tuple(batch if size == -1 else size for size in spec.shape)
        order = tuple(range(len(shape)))
        if name in last and len(shape) in (3, 4):
            order = (0, *order[2:], 1)
        found[name] = Layout(shape, order, np.dtype(spec.format.dtype))
    return found


def _channels_last(program: ProgramData) -> set[str]:
    """Return the tensors that windowed primitives touch, and those that lie like them."""
    last: set[str] = set()
    links: dict[str, set[str]] = {}
    for call in program.calls:
        names = {name for name in (*call.inputs, call.output) if name not in program.constants}
        if call.primitive in WINDOWED:
            # Those of three spatial dimensions have no command: they lie in logical order.
            last |= {name for name in names if len(program.tensors[name].shape) in (3, 4)}
        elif call.primitive in ALIKE:
            for name in names:
                links.setdefault(name, set()).update(names)
    pending = list(last)
    while pending:
        for name in links.get(pending.pop(), ()):
            if name not in last:
                last.add(name)
                pending.append(name)
    return last
