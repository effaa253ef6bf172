"""Encodes norms of codes: rows that lie together, each with its weights, and a rescale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.program import decode_scheme, resolve
from qsim.stream.command import Command, NotInStream
from qsim.stream.ends import bounds_of, end_words
from qsim.stream.lines import kind_of, made_plain, plain

if TYPE_CHECKING:
    from qsim.program import Array, Call
    from qsim.stream.layout import Layout
    from qsim.stream.source import Source

_COST: Final = 48  # products that take as long as one element


def encode(source: Source, index: int) -> list[Command]:
    """Encode a layer, group or RMS norm.

    Raises:
        NotInStream: a constant operand, a value that the rescale may refuse, or a draw.
    """
    from hw_models.stream import fields as f
    from hw_models.stream.ends import BLOCK, WORK

    call = source.program.calls[index]
    a: Any = call.attributes
    name, copies = plain(source, index, call.inputs[0])
    x, y = source.layouts[name], source.layouts[call.output]
    if not x.size:
        raise NotInStream(f"{name} is empty")
    norm = decode_scheme(a["scheme"], source.program.constants)
    weight, bias = _tables(source, call, x)
    groups, count = weight.shape
    most = norm.largest(count) * int(np.abs(weight).max()) + int(np.abs(bias).max())
    fields = np.array((norm.epsilon, norm.fraction, norm.root_bits, norm.guard), np.int64)
    table = np.concatenate([fields, np.stack((weight, bias), 1).reshape(-1)])
    words = end_words(source, y, norm.rescale, (-most, most), bounds_of(call)) | {
        f.N: x.size // count, f.C: count, f.CHANNELS: 1, f.X_KIND: kind_of(x),
        f.ZERO: a.get("x_zero_point", 0), f.CENTRED: call.primitive != "rms_norm",
        f.SECOND: source.constants.add(table), f.GROUPS: groups,
    }  # fmt: skip
    together = count * (max(1, BLOCK // count) if groups == 1 else 1)
    work = WORK + 128 + 16 * together + 64
    write, moved = made_plain(source, index)
    command = Command((index,), (name,), write, f.NORM, words, work, products=_COST * x.size)
    return [*copies, command, *moved]


def _tables(source: Source, call: Call, x: Layout) -> tuple[Array, Array]:
    """Return weight and bias of each element of a row, [groups, count]."""
    a: Any = call.attributes
    if call.primitive == "group_norm":
        groups, channels = a["groups"], x.shape[1]
        positions = math.prod(x.shape[2:])
    else:
        groups, channels = 1, math.prod(x.shape[len(x.shape) - a["dims"] :])
        positions = 1
    made = []
    for key, default in (("weight", 1), ("bias", 0)):
        given = resolve(a[key], source.program.constants) if a.get(key) is not None else None
        one = np.full(channels, default) if given is None else np.asarray(given).reshape(-1)
        made.append(np.repeat(one.astype(np.int64), positions).reshape(groups, -1))
    return made[0], made[1]
