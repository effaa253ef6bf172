"""Encodes embedding: rows of a packed table, read at positions of run time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qsim.stream.command import Command
from qsim.stream.lines import kind_of, made_plain, plain

if TYPE_CHECKING:
    from qsim.program import Call
    from qsim.stream.source import Source


def encode(source: Source, index: int) -> list[Command]:
    """Encode the reading of rows.

    Raises:
        NotInStream: the positions are a constant.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    name, copies = plain(source, index, call.inputs[1])
    where = source.layouts[name]
    table = source.program.constants[call.inputs[0]]
    item = source.layouts[call.output].dtype.itemsize
    words = {
        f.N: where.size, f.C: table.shape[0], f.ITEM: item * math.prod(table.shape[1:]),
        f.X_KIND: kind_of(where), f.TABLE: source.kept_once(call, "rows", _packed),
    }  # fmt: skip
    write, moved = made_plain(source, index)
    work = 8 * where.size + 64
    return [*copies, Command((index,), (name,), write, f.EMBEDDING, words, work), *moved]


def _packed(source: Source, _index: int, call: Call) -> int:
    kind = source.layouts[call.output].dtype
    return source.constants.add(np.asarray(source.program.constants[call.inputs[0]], kind))
