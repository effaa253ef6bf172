"""Encodes resizes: to the nearest as gathers, weighted ones as a command of their own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.stream.command import Command, NotInStream
from qsim.stream.joins import picked
from qsim.stream.lines import kind_of, operand, same_order

if TYPE_CHECKING:
    from hw_models.resize import Resize
    from qsim.stream.source import Source

_COST: Final = 32  # products that take as long as one element


def encode_resize(source: Source, index: int) -> list[Command]:
    """Encode a resize.

    Raises:
        NotInStream: codes that the interpreter may refuse.
    """
    from hw_models.resize import ScaledResize, SizedResize

    call = source.program.calls[index]
    x, y = operand(source, call.inputs[0]), source.layouts[call.output]
    values: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in call.attributes.items()}
    scheme = SizedResize(**values) if "size" in values else ScaledResize(**values)
    if scheme.mode != "nearest":
        return _weighted(source, index, scheme)
    if x.order != y.order or x.dtype != y.dtype:
        raise NotInStream("the operand of a resize lies in another order than the result")
    taps = scheme.taps(x.shape[2:])
    return picked(source, index, {2 + i: [tap.low for tap in line] for i, line in enumerate(taps)})


def _weighted(source: Source, index: int, scheme: Resize) -> list[Command]:
    from hw_models.resize import reach, tables
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    y, codes = source.layouts[call.output], source.format(call.inputs[0])
    if not -reach(scheme) <= codes.min <= codes.max <= reach(scheme):
        raise NotInStream("codes that a resize may refuse")
    name, copies = same_order(source, index, call.inputs[0], y)
    x = source.layouts[name]
    batch, channels = x.shape[:2]
    if x.plain and y.plain:
        pictures, inner = batch * channels, 1
    elif y.order == (0, *range(2, len(y.shape)), 1):
        pictures, inner = batch, channels
    else:
        raise NotInStream("a resize of pictures whose pixels do not lie together")
    rows, columns = tables(scheme, x.shape[2:])
    height, width = (1, *x.shape[2:])[-2:]
    keep = source.constants.add
    words = {
        f.N: pictures, f.H: height, f.W: width, f.C: inner, f.OH: len(rows), f.OW: len(columns),
        f.ROW_TABLE: keep(rows), f.COLUMN_TABLE: keep(columns), f.FRACTION: scheme.shift,
        f.X_KIND: kind_of(x), f.Y_KIND: kind_of(y),
    }  # fmt: skip
    work = 8 * inner * (2 * width + len(columns)) + 64
    command = Command(
        (index,), (name,), call.output, f.RESIZE, words, work,
        products=_COST * math.prod(y.shape),
    )  # fmt: skip
    return [*copies, command]
