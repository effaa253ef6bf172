"""Encodes writes into caches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qsim.stream.command import Command, NotInStream
from qsim.stream.lines import kind_of, operand

if TYPE_CHECKING:
    from qsim.stream.source import Source


def encode(source: Source, index: int) -> list[Command]:
    """Encode a write of rows at positions of run time.

    Raises:
        NotInStream: an operand is a constant, or does not lie in logical order.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    cache, rows, positions = (operand(source, name) for name in call.inputs)
    for name in (*call.inputs, call.output):
        if not source.layouts[name].plain:
            raise NotInStream(f"{name} has its channels innermost")
    a: Any = call.attributes
    axis = a["axis"] % len(cache.shape)
    words = {
        f.ITEM: cache.dtype.itemsize, f.MODE: int(a["ring"]), f.ZERO_KIND: kind_of(positions),
        f.D0: math.prod(cache.shape[:axis]), f.D0 + 1: cache.shape[axis],
        f.D0 + 2: rows.shape[axis], f.D0 + 3: positions.size,
        f.D0 + 4: math.prod(cache.shape[axis + 1 :]),
    }  # fmt: skip
    work = 8 * rows.shape[axis] + 64
    return [Command((index,), call.inputs, call.output, f.CACHE_WRITE, words, work)]
