"""Encodes products of float32 matrices, whose batches broadcast."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.stream.command import Command
from qsim.stream.float32.elements import read, side
from qsim.stream.lines import made_plain, plain

if TYPE_CHECKING:
    from qsim.program import Array
    from qsim.stream.source import Source


def encode(source: Source, index: int) -> list[Command]:
    """Encode a product of matrices; a matrix that several take is read where it lies."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    fused: Any = call.attributes["fused"]
    shape = source.layouts[call.output].shape
    names, found = list(call.inputs), []
    for number, name in enumerate(call.inputs):
        if name not in source.program.constants:
            names[number], copies = plain(source, index, name, number)
            found += copies
    (x, first, words), (x2, second, more) = (
        side(source, name, number) for number, name in enumerate(names)
    )
    starts = [_starts(each.shape, shape[:-2]) for each in (x, x2)]
    matrices, rows, depth, outputs = starts[0].size, shape[-2], x.shape[-1], shape[-1]
    words |= more | {
        f.D0: matrices, f.D0 + 1: rows, f.D0 + 2: depth, f.D0 + 3: outputs, f.MODE: fused,
        f.SECOND: source.constants.add(np.stack(starts, 1)),
    }  # fmt: skip
    write, moved = made_plain(source, index)
    cost = 4 * matrices * rows * depth * outputs
    reads = read(first, second)
    command = Command((index,), reads, write, f.FLOAT_MATMUL, words, products=cost)
    return [*found, command, *moved]


def _starts(shape: tuple[int, ...], batch: tuple[int, ...]) -> Array:
    """Return the first element of each matrix of a batch."""
    given = shape[:-2]
    numbers = np.arange(math.prod(given), dtype=np.int64).reshape(given) * math.prod(shape[-2:])
    return np.ascontiguousarray(np.broadcast_to(numbers, batch)).reshape(-1)
