"""Encodes softmax and layer norm of float32 rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.program import resolve
from qsim.stream.command import Command, NotInStream
from qsim.stream.lines import made_plain, plain

if TYPE_CHECKING:
    from qsim.stream.source import Source

_COST: Final = 64  # products that take as long as one element


def encode_softmax(source: Source, index: int) -> list[Command]:
    """Encode a softmax over the last dimension.

    Raises:
        NotInStream: a constant or empty operand.
    """
    from hw_models.stream import fields as f

    lanes: Any = source.program.calls[index].attributes["lanes"]
    size = source.layouts[source.program.calls[index].output].shape[-1]
    return _rows(source, index, f.FLOAT_SOFTMAX, size, {f.LANES: lanes}, 4 * lanes)


def encode_layer_norm(source: Source, index: int) -> list[Command]:
    """Encode a layer norm over the last dimensions.

    Raises:
        NotInStream: a constant or empty operand.
    """
    from hw_models.float32.layer_norm import require_eps, room
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    shape = source.layouts[call.output].shape
    size, lanes = math.prod(shape[len(shape) - a["dims"] :]), a["lanes"]
    _, levels = room(size, lanes)
    header = np.zeros(16, np.float32)
    header[0] = require_eps(a["eps"])
    parts = [header]
    if a["weight"] is not None:
        for value in (a["weight"], a["bias"]):
            table = resolve(value, source.program.constants)
            given = np.zeros(size) if table is None else table.reshape(-1)
            parts.append(given.astype(np.float32))
    words = {
        f.LANES: lanes, f.LEVELS: levels, f.WEIGHTED: a["weight"] is not None,
        f.TABLE: source.constants.add(np.concatenate(parts)),
    }  # fmt: skip
    work = 8 * levels + 8 * levels * lanes + 8 * lanes
    return _rows(source, index, f.FLOAT_LAYER_NORM, size, words, work)


def _rows(
    source: Source, index: int, op: int, size: int, words: dict[int, int], work: int
) -> list[Command]:
    from hw_models.stream import fields as f

    name, copies = plain(source, index, source.program.calls[index].inputs[0])
    x = source.layouts[name]
    if not x.size:
        raise NotInStream(f"{name} is empty")
    words |= {f.N: x.size // size, f.C: size}
    write, moved = made_plain(source, index)
    command = Command((index,), (name,), write, op, words, work + 64, products=_COST * x.size)
    return [*copies, command, *moved]
