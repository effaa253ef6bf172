"""Encodes rotary turns: pairs of each row, turned by angles that are spread out to all rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.program import decode_scheme, format_from_json
from qsim.stream.command import Command, NotInStream
from qsim.stream.elements import spread_one
from qsim.stream.ends import end_words
from qsim.stream.layout import Layout
from qsim.stream.lines import kind_of, made_plain, plain

if TYPE_CHECKING:
    from qsim.stream.source import Source

_COST: Final = 48  # products that take as long as one element


def encode(source: Source, index: int) -> list[Command]:
    """Encode a rotary turn.

    Raises:
        NotInStream: a constant operand, a value that the rescale may refuse, or a draw.
    """
    from hw_models.rotary import LIMIT
    from hw_models.stream import fields as f
    from hw_models.stream.ends import BLOCK, WORK

    call = source.program.calls[index]
    a: Any = call.attributes
    name, found = plain(source, index, call.inputs[0])
    x, y = source.layouts[name], source.layouts[call.output]
    if not x.size:
        raise NotInStream(f"{name} is empty")
    depth = x.shape[-1]
    names = [name]
    for number, table in enumerate(call.inputs[1:], 1):
        lies = Layout((*x.shape[:-1], depth // 2), tuple(range(len(x.shape))), x.dtype)
        made, copies = spread_one(source, index, number, table, lies)
        names.append(made)
        found = [*found, *copies]
    kinds = [kind_of(source.layouts[each]) for each in names]
    output = format_from_json(a["output"])
    scheme = decode_scheme(a["scheme"], source.program.constants)
    bounds = (output.min, output.max, a["zero_point"])
    across, along = (depth // 2, 1) if a["pairing"] == "half" else (1, 2)
    words = end_words(source, y, scheme, (1 - LIMIT, LIMIT - 1), bounds) | {
        f.N: math.prod(x.shape[:-1]), f.C: depth, f.CHANNELS: 1, f.ZERO: a["x_zero_point"],
        f.ACROSS: across, f.ALONG: along,
    }  # fmt: skip
    words |= dict(zip((f.X_KIND, f.X2_KIND, f.ZERO_KIND), kinds, strict=True))
    work = WORK + 24 * depth * max(1, BLOCK // depth) + 64
    write, moved = made_plain(source, index)
    cost = _COST * x.size
    command = Command((index,), tuple(names), write, f.ROTARY, words, work, products=cost)
    return [*found, command, *moved]
