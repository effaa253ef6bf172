"""Encodes concat and pad: copies to parts of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.program import decode_scheme
from qsim.stream.command import Command, NotInStream
from qsim.stream.copies import copy_words, gathered
from qsim.stream.ends import end_words, rescaling
from qsim.stream.layout import Layout
from qsim.stream.lines import ends_of, kind_of
from qsim.stream.views import offsets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Array, Call
    from qsim.stream.source import Source


def encode_concat(source: Source, index: int) -> list[Command]:
    """Encode a concat: a copy of each operand that does not lie in the result already.

    Raises:
        NotInStream: operands in other containers than the result's, or wide codes to rescale.
    """
    call = source.program.calls[index]
    y = source.layouts[call.output]
    found = []
    for number, name, at in offsets_of(source.program, call, y):
        inside = name not in source.program.constants and (
            (name, call.output) in source.homes.joined and source.lies(name, call.output, at)
        )
        # An operand that comes twice lies in one of its places.
        if not inside:
            found += _part(source, index, number, name, at)
    return found


def _part(source: Source, index: int, number: int, name: str, at: int) -> list[Command]:
    """Copy an operand, through a table of its codes where it is rescaled, or behind a rescale."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    y = source.layouts[call.output]
    constant = source.program.constants.get(name)
    extra, before = {f.Y_START: at}, []
    a: Any = call.attributes
    if constant is not None:
        if a["schemes"][number] is not None:
            raise NotInStream("a constant is rescaled")
        x = Layout(constant.shape, y.order, y.dtype)
        extra |= placed(source, constant.astype(y.dtype), y.order)
    else:
        x = source.layouts[name]
        if a["schemes"][number] is None:
            pass
        elif max(source.format(name).bits, source.format(call.output).bits) > 8:
            before = [_rescaled(source, index, number)]
            name = before[0].write
            x = source.layouts[name]
        else:
            extra |= {f.MAPPED: 1, f.TABLE: _table(source, call, number)}
    if x.order != y.order or x.dtype.itemsize != y.dtype.itemsize:
        raise NotInStream("an operand of a concat lies in another container than the result")
    strides, to = x.strides, y.strides
    words = copy_words(
        x.memory, [strides[axis] for axis in x.order], y.dtype.itemsize,
        [to[axis] for axis in y.order],
    )  # fmt: skip
    reads = (name,) if constant is None else ()
    return [*before, Command((index,), reads, call.output, f.COPY, words | extra)]


def _rescaled(source: Source, index: int, number: int) -> Command:
    """Rescale an operand of wide codes, as it lies, to the result's."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    name, codes, zero = call.inputs[number], source.format(call.output), a["zero_points"][number]
    x = source.layouts[name]
    y = Layout(x.shape, x.order, source.layouts[call.output].dtype)
    ends = [code - zero for code in ends_of(source, name)]
    scheme = decode_scheme(a["schemes"][number], source.program.constants)
    if scheme.channels:
        raise NotInStream("an operand of a concat is rescaled per channel")
    bounds = codes.min, codes.max, a["zero_point"]
    words = end_words(source, y, scheme, ends, bounds) | {
        f.N: 1, f.C: 1, f.O: x.size, f.CHANNELS: 1, f.X_KIND: kind_of(x), f.ZERO: zero,
    }  # fmt: skip
    return rescaling(index, (name,), source.between(call, number, y, codes), f.RESCALE, words)


def placed(source: Source, constant: Array, order: Sequence[int]) -> dict[int, int]:
    """Return the words of an operand among the packed constants, in an order of its dimensions."""
    from hw_models.stream import fields as f

    where = source.constants.add(np.ascontiguousarray(constant.transpose(order)))
    return {f.X_PLACE: f.IN_CONSTANTS, f.X: where}


def _table(source: Source, call: Call, number: int) -> int:
    """Keep the result's code of every code of an operand."""
    from hw_models.moves.concat import concat
    from qsim.program import format_from_json

    codes, a = source.format(call.inputs[number]), call.attributes
    output = format_from_json(a["output"])
    given: Any = a
    scheme = decode_scheme(given["schemes"][number], source.program.constants)
    if "stochastic" in str(given["schemes"][number]):
        raise NotInStream("a draw depends on the element's place")
    every = np.arange(codes.min, codes.max + 1).astype(codes.dtype)
    made = concat([every], 0, [scheme], [given["zero_points"][number]], given["zero_point"], output)
    table = np.zeros(256, np.uint8)
    table[every.view(np.uint8)] = made.view(np.uint8)
    return source.constants.add(table)


def encode_pad(source: Source, index: int) -> list[Command]:
    """Encode a pad: its border's code everywhere and the operand inside, or a gather per axis."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    name, a = call.inputs[0], call.attributes
    if name in source.program.constants:
        raise NotInStream(f"{name} is a constant")
    x, y = source.layouts[name], source.layouts[call.output]
    pads: Any = a["pads"]
    if x.order != y.order:
        raise NotInStream("the operand of a pad lies in another order than the result")
    if a["mode"] != "constant":
        return _mirrored(source, index, pads)
    item, to = y.dtype.itemsize, y.strides
    value = placed(source, np.array([a["value"]], y.dtype), [0])
    filled = copy_words([y.size], [0], item) | value
    strides = x.strides
    inside = copy_words(
        x.memory, [strides[axis] for axis in x.order], item, [to[axis] for axis in y.order]
    )
    inside[f.Y_START] = sum(pair[0] * s for pair, s in zip(pads, to, strict=True)) * item
    return [
        Command((index,), (), call.output, f.COPY, filled),
        Command((index,), (name,), call.output, f.COPY, inside),
    ]


def _mirrored(source: Source, index: int, pads: list[list[int]]) -> list[Command]:
    """Pick the positions that each padded dimension repeats."""
    from hw_models.moves.pad import pad

    call = source.program.calls[index]
    mode: Any = call.attributes["mode"]
    shape = source.layouts[call.inputs[0]].shape
    axes = [axis for axis, pair in enumerate(pads) if pair != [0, 0]] or [len(pads) - 1]
    where = {
        axis: pad(np.arange(shape[axis]), [(pads[axis][0], pads[axis][1])], 0, mode).tolist()
        for axis in axes
    }
    return picked(source, index, where)


def picked(source: Source, index: int, where: dict[int, list[int]]) -> list[Command]:
    """Pick positions along some dimensions, one after another."""
    call = source.program.calls[index]
    name, found, axes = call.inputs[0], [], list(where)
    for number, axis in enumerate(axes):
        x, positions = source.layouts[name], where[axis]
        shape = (*x.shape[:axis], len(positions), *x.shape[axis + 1 :])
        to = call.output
        if axis != axes[-1]:
            to = source.between(call, number, Layout(shape, x.order, x.dtype))
        found.append(gathered(source, index, (name, to), axis, positions))
        name = to
    return found
