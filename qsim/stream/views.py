"""Which calls read or make a part of a tensor that lies in one piece, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qsim.program import Array, Call, ProgramData
    from qsim.stream.layout import Layout


def steps_of(
    call: Call, constants: Mapping[str, Array], shape: Sequence[int]
) -> tuple[list[int], list[int]] | None:
    """Return starts and steps of a slice; of a gather too, where its positions are evenly spaced.

    Args:
        call: of a Program.
        constants: of the Program.
        shape: of the operand.
    """
    a: Any = call.attributes
    if call.primitive == "strided_slice":
        return list(a["starts"]), list(a["steps"])
    if call.primitive != "gather":
        return None
    positions = constants[call.inputs[1]].astype(np.int64)
    distances = np.diff(positions)
    if distances.size and (distances != distances[0]).any():
        return None
    starts, steps = [0] * len(shape), [1] * len(shape)
    starts[a["axis"]] = int(positions[0])
    steps[a["axis"]] = int(distances[0]) if distances.size else 1
    return starts, steps


def start_of(starts: Sequence[int], x: Layout) -> int:
    """Return where the element at a position lies, in bytes."""
    return sum(p * s for p, s in zip(starts, x.strides, strict=True)) * x.dtype.itemsize


def _same(part: Layout, strides: Sequence[int], others: Sequence[int]) -> bool:
    """Return whether two distances between neighbours agree wherever there are neighbours."""
    return all(
        length == 1 or a == b for length, a, b in zip(part.shape, strides, others, strict=True)
    )


def window_of(program: ProgramData, call: Call, layouts: Mapping[str, Layout]) -> int | None:
    """Return where a result lies in its operand, in bytes; None where it does not in one piece."""
    if call.inputs[0] in program.constants:
        return None
    x, y = layouts[call.inputs[0]], layouts[call.output]
    if call.primitive == "reshape":
        return 0 if x.plain and y.plain else None
    found = steps_of(call, program.constants, x.shape)
    if found is None:
        return None
    starts, steps = found
    strides = [stride * step for stride, step in zip(x.strides, steps, strict=True)]
    return start_of(starts, x) if _same(y, strides, y.strides) else None


def offsets_of(program: ProgramData, call: Call, y: Layout) -> Iterator[tuple[int, str, int]]:
    """Give the operands of a concat: number, name, and where each begins in y, in bytes."""
    a: Any = call.attributes
    axis, at = a["axis"] % len(y.shape), 0
    for number, name in enumerate(call.inputs):
        yield number, name, at * y.strides[axis] * y.dtype.itemsize
        known = program.constants.get(name)
        at += (program.tensors[name] if known is None else known).shape[axis]


def parts_of(
    program: ProgramData, call: Call, layouts: Mapping[str, Layout]
) -> Iterator[tuple[str, int]]:
    """Give the operands of a concat that it copies and that lie in it in one piece, and where."""
    if call.primitive != "concat":
        return
    a: Any = call.attributes
    y = layouts[call.output]
    for number, name, at in offsets_of(program, call, y):
        if name in program.constants or a["schemes"][number] is not None:
            continue
        x = layouts[name]
        if x.dtype.itemsize == y.dtype.itemsize and _same(x, x.strides, y.strides):
            yield name, at
