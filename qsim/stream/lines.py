"""Tensors as [outer, along, inner] in memory, for what works along dimensions of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.stream.command import Command, NotInStream
from qsim.stream.copies import reorder
from qsim.stream.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qsim.stream.source import Source


def kind_of(layout: Layout) -> int:
    """Return the number of a tensor's container in a descriptor."""
    from hw_models.stream import fields as f

    kinds = {
        "uint8": f.UINT8, "int8": f.INT8, "int16": f.INT16, "uint16": f.UINT16,
        "int32": f.INT32, "uint32": f.UINT32, "int64": f.INT64,
    }  # fmt: skip
    if layout.dtype.name not in kinds:
        raise NotInStream(f"elements of {layout.dtype.name}")
    return kinds[layout.dtype.name]


def operand(source: Source, name: str) -> Layout:
    """Return the layout of an operand that is no constant."""
    if name in source.program.constants:
        raise NotInStream(f"{name} is a constant")
    return source.layouts[name]


def split(layout: Layout, axis: int) -> tuple[int, int, int]:
    """Return the elements outside of a dimension, along it, and inside, as they lie in memory."""
    at = layout.order.index(axis)
    sizes = layout.memory
    return math.prod(sizes[:at]), sizes[at], math.prod(sizes[at + 1 :])


def same_order(source: Source, index: int, name: str, y: Layout) -> tuple[str, list[Command]]:
    """Return an operand as it lies if it lies like the result, else a copy of it that does."""
    x = source.layouts[name]
    if x.order == y.order or (x.plain and y.plain):
        return name, []
    return _copied(source, index, name, y.order)


def _copied(
    source: Source, index: int, name: str, order: Sequence[int], number: int = 0
) -> tuple[str, list[Command]]:
    from hw_models.stream import fields as f

    x, call = source.layouts[name], source.program.calls[index]
    other = Layout(x.shape, tuple(order), x.dtype)
    codes = None if x.dtype == np.float32 else source.format(name)
    between = source.between(call, number, other, codes)
    return between, [Command((index,), (name,), between, f.COPY, reorder(x, order))]


def along(
    source: Source, index: int, axes: Collection[int], *, keepdims: bool
) -> tuple[str, list[Command], tuple[int, int, int]]:
    """Bring a reduction's operand into a form in which what is reduced lies together.

    Args:
        source: the Program.
        index: of the call.
        axes: the dimensions that are reduced, not negative.
        keepdims: whether the result keeps them, with length 1.

    Returns:
        The operand, or a copy of it; the copy's command; sizes outside, along and inside.
    """
    call = source.program.calls[index]
    name = call.inputs[0]
    x, y = operand(source, name), source.layouts[call.output]
    kept = [axis for axis in range(len(x.shape)) if axis not in axes]
    numbers = list(range(len(x.shape))) if keepdims else kept
    wanted = [numbers[axis] for axis in y.order if numbers[axis] not in axes]
    found = _together(x, axes, wanted)
    if found is not None:
        return name, [], found
    name, commands = _copied(source, index, name, (*wanted, *sorted(axes)))
    found = _together(source.layouts[name], axes, wanted)
    assert found is not None, "what is reduced lies innermost"  # noqa: S101
    return name, commands, found


def _together(
    x: Layout, axes: Collection[int], wanted: Sequence[int]
) -> tuple[int, int, int] | None:
    long = [axis for axis in x.order if x.shape[axis] != 1]
    if [a for a in long if a not in axes] != [a for a in wanted if x.shape[a] != 1]:
        return None
    places = [at for at, axis in enumerate(long) if axis in axes]
    count = math.prod(x.shape[axis] for axis in axes)
    if not places:
        return x.size // max(count, 1), count, 1
    if places[-1] - places[0] + 1 != len(places):
        return None
    inner = math.prod(x.shape[axis] for axis in long[places[-1] + 1 :])
    return x.size // (count * inner), count, inner


def ends_of(source: Source, name: str, *, narrow: bool = False) -> tuple[int, int]:
    """Return the smallest and the largest code that an operand may have.

    Args:
        source: the Program.
        name: of the operand.
        narrow: the call refuses codes of more than 32 bits.

    Raises:
        NotInStream: codes that the call may refuse.
    """
    constant: Any = source.program.constants.get(name)
    if constant is None:
        codes = source.format(name)
        ends = codes.min, codes.max
    else:
        values = np.asarray(constant)
        ends = int(values.min()), int(values.max())
    if narrow and not -(1 << 31) <= ends[0] <= ends[1] < 1 << 32:
        raise NotInStream(f"{name} may have codes of more than 32 bits")
    return ends


def plain(source: Source, index: int, name: str, number: int = 0) -> tuple[str, list[Command]]:
    """Return an operand that is no constant in logical order: itself, or a copy."""
    x = operand(source, name)
    if x.plain:
        return name, []
    return _copied(source, index, name, range(len(x.shape)), number)


def made_plain(source: Source, index: int) -> tuple[str, list[Command]]:
    """Return where a call makes its result in logical order, and how it gets to its place then."""
    from hw_models.stream import fields as f

    output = source.program.calls[index].output
    y = source.layouts[output]
    if y.plain:
        return output, []
    between = source.between(
        source.program.calls[index], 9, Layout(y.shape, tuple(range(len(y.shape))), y.dtype)
    )
    words = reorder(source.layouts[between], y.order)
    return between, [Command((index,), (between,), output, f.COPY, words)]
