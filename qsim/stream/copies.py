"""Encodes what moves codes without changing them: permute, reshape, strided_slice, gather.

A call whose result lies where it was made, in its operand, has no command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.stream.command import Command, NotInStream
from qsim.stream.layout import Layout
from qsim.stream.views import start_of, steps_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Call
    from qsim.stream.source import Source

_ITEMS: Final = (1, 2, 4, 8)


def copy_words(
    sizes: Sequence[int], strides: Sequence[int], item: int, to: Sequence[int] | None = None
) -> dict[int, int]:
    """Return the words of a copy.

    Args:
        sizes: of what is copied, outermost first.
        strides: distances in the source, in elements, that go with them.
        item: bytes of an element.
        to: distances in the result; by default its elements lie side by side, in this order.

    Raises:
        NotInStream: more dimensions than a descriptor has, or elements of another size than 1, 2,
            4 or 8 bytes.
    """
    from hw_models.stream import fields as f

    if item not in _ITEMS:
        raise NotInStream(f"elements of {item} bytes")
    if to is None:
        to = [int(n) for n in np.cumprod([1, *reversed(sizes)])[-2::-1]]
    merged: list[tuple[int, int, int]] = []
    for size, stride, distance in zip(sizes, strides, to, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1:] == (size * stride, size * distance):
            merged[-1] = (merged[-1][0] * size, stride, distance)
        else:
            merged.append((size, stride, distance))
    if len(merged) > f.DIMENSIONS:
        raise NotInStream(f"a copy of {len(merged)} dimensions")
    merged = [(1, 0, 0)] * (f.DIMENSIONS - len(merged)) + merged
    words = {f.ITEM: item}
    for i, three in enumerate(merged):
        words |= dict(zip((f.D0 + i, f.S0 + i, f.T0 + i), three, strict=True))
    return words


def reorder(layout: Layout, order: Sequence[int]) -> dict[int, int]:
    """Return the words that copy a tensor so that it lies in another order."""
    strides = layout.strides
    sizes = [layout.shape[axis] for axis in order]
    return copy_words(sizes, [strides[axis] for axis in order], layout.dtype.itemsize)


def encode_permute(source: Source, index: int) -> list[Command]:
    """Encode a permute: a copy into the result's order."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    x, y = _tensors(source, call)
    moved: Any = call.attributes["dims"]
    words = reorder(x, [moved[axis] for axis in y.order])
    return [Command((index,), call.inputs, call.output, f.COPY, words)]


def encode_reshape(source: Source, index: int) -> list[Command]:
    """Encode a reshape: by way of logical order where neither side lies in it."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    x, y = _tensors(source, call)
    name = call.inputs[0]
    if x.plain and y.plain and source.lies(call.output, name, 0):
        return []
    if y.plain:
        words = reorder(x, range(len(x.shape)))
        return [Command((index,), (name,), call.output, f.COPY, words)]
    found = []
    if not x.plain:
        plain = Layout(x.shape, tuple(range(len(x.shape))), x.dtype)
        between = source.between(call, 0, plain)
        found = [Command((index,), (name,), between, f.COPY, reorder(x, plain.order))]
        name = between
    plain = Layout(y.shape, tuple(range(len(y.shape))), y.dtype)
    return [*found, Command((index,), (name,), call.output, f.COPY, reorder(plain, y.order))]


def encode_slice(source: Source, index: int) -> list[Command]:
    """Encode a strided slice, or a gather of evenly spaced positions: a copy at distances."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    x, y = _tensors(source, call)
    found = steps_of(call, source.program.constants, x.shape)
    if found is None:
        raise NotInStream("positions are not evenly spaced")
    starts, steps = found
    start = start_of(starts, x)
    if call.output in source.homes.within and source.lies(call.output, call.inputs[0], start):
        return []
    strides = [stride * step for stride, step in zip(x.strides, steps, strict=True)]
    words = copy_words(y.memory, [strides[axis] for axis in y.order], y.dtype.itemsize)
    words[f.X_START] = start
    return [Command((index,), call.inputs[:1], call.output, f.COPY, words)]


def encode_gather(source: Source, index: int) -> list[Command]:
    """Encode a gather: lines at the positions of a table."""
    call = source.program.calls[index]
    x, _ = _tensors(source, call)
    if steps_of(call, source.program.constants, x.shape) is not None:
        return encode_slice(source, index)
    a: Any = call.attributes
    positions = source.program.constants[call.inputs[1]]
    names = (call.inputs[0], call.output)
    return [gathered(source, index, names, a["axis"] % len(x.shape), positions.tolist())]


def gathered(
    source: Source, index: int, names: tuple[str, str], axis: int, positions: Sequence[int]
) -> Command:
    """Return the command that picks positions along one dimension; both lie in one order."""
    from hw_models.stream import fields as f

    x, y = (source.layouts[name] for name in names)
    if x.order != y.order or x.dtype.itemsize not in _ITEMS:
        raise NotInStream("the operand of a gather lies in another order than the result")
    inner = x.strides[axis]
    line = inner * x.shape[axis]
    words = {
        f.ITEM: x.dtype.itemsize,
        f.D0: x.size // line,
        f.D0 + 1: len(positions),
        f.D0 + 2: inner,
        f.S0: line,
        f.TABLE: source.constants.add(np.asarray(positions, np.int64) * inner),
    }
    return Command((index,), names[:1], names[1], f.GATHER, words)


def _tensors(source: Source, call: Call) -> tuple[Layout, Layout]:
    if call.inputs[0] in source.program.constants:
        raise NotInStream(f"{call.inputs[0]} is a constant")
    return source.layouts[call.inputs[0]], source.layouts[call.output]
