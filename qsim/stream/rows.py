"""Encodes softmax, with a mask too, and argmax: one row of a tensor after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.program import decode_scheme
from qsim.stream.command import Command, NotInStream
from qsim.stream.elements import spread_one
from qsim.stream.lines import along, kind_of, operand, same_order, split

if TYPE_CHECKING:
    from qsim.stream.layout import Layout
    from qsim.stream.source import Source

_COST: Final = 32  # products that take as long as one element
_REGISTER: Final = 1 << 31


def encode_softmax(source: Source, index: int) -> list[Command]:
    """Encode a softmax, or one of what a mask shows.

    Raises:
        NotInStream: rows whose sums of exponentials may exceed 32 bits: those are refused.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    operand(source, call.inputs[0])
    y = source.layouts[call.output]
    name, copies = same_order(source, index, call.inputs[0], y)
    outer, depth, inner = split(y, a["axis"] % len(y.shape))
    scheme = decode_scheme(a["scheme"], source.program.constants)
    op, words = _exponentials(source, index, scheme, depth)
    output = source.format(call.output)
    least = output.min if op != f.SOFTMAX_TABLE else max(0, output.min)
    words |= {
        f.N: outer, f.C: depth, f.O: inner, f.OUT_BITS: output.bits,
        f.X_KIND: kind_of(source.layouts[name]), f.Y_KIND: kind_of(y),
        f.LEAST: least, f.MOST: output.max,
    }  # fmt: skip
    masks, found, more = _masks(source, index, y)
    nothing = scheme.zero_point if op == f.SOFTMAX_FLOAT else least
    words |= more | {f.HIDDEN: min(max(nothing, least), output.max)}
    work = (32 if masks else 16) * depth + 64
    command = Command(
        (index,), (name, *masks), call.output, op, words, work, products=_COST * y.size
    )
    return [*copies, *found, command]


def _masks(
    source: Source, index: int, y: Layout
) -> tuple[tuple[str, ...], list[Command], dict[int, int]]:
    """Return what tells which elements of a softmax are shown, and the words that say how."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    if call.primitive != "masked_softmax":
        return (), [], {}
    a: Any = call.attributes
    given = [call.inputs[1]]
    if a["allowed"] is not None:
        given.append(a["allowed"]["constant"])
    names, found = [], []
    for number, name in enumerate(given, 1):
        made, commands = spread_one(source, index, number, name, y)
        names.append(made)
        found += commands
    kinds = [kind_of(source.layouts[name]) for name in names]
    words = {
        f.MASK: f.SHOWN_REST if a["hides"] == "zero" else f.SHOWN_ZERO, f.X2_KIND: kinds[0],
        f.ALLOWED_KIND: kinds[1] if len(kinds) > 1 else -1,
    }  # fmt: skip
    return tuple(names), found, words


def _exponentials(
    source: Source, index: int, scheme: Any, depth: int
) -> tuple[int, dict[int, int]]:
    """Return the operation of a scheme and the words of its tables."""
    from hw_models.errors import no_case
    from hw_models.softmax import FixedSoftmax, FloatSoftmax, IbertSoftmax, TableSoftmax, terms
    from hw_models.softmaxes.schemes import SUM_BITS, tables16
    from hw_models.stream import fields as f

    keep, table = source.constants.add, terms(scheme)
    if isinstance(scheme, FloatSoftmax):
        last = np.zeros(16, np.uint8)
        last[:4] = np.array([scheme.output_scale], np.float32).view(np.uint8)
        last[8:] = np.array([scheme.zero_point], np.int64).view(np.uint8)
        return f.SOFTMAX_FLOAT, {f.TABLE: keep(table), f.SECOND: keep(last)}
    drop = SUM_BITS if isinstance(scheme, FixedSoftmax) else 0
    largest = (int(table.max()) + ((1 << drop) >> 1)) >> drop  # as the sums round it
    if depth * largest >= _REGISTER:
        raise NotInStream("the sum of a row's exponentials may exceed 32 bits")
    if isinstance(scheme, FixedSoftmax):
        return f.SOFTMAX_FIXED, {f.TABLE: keep(table)}
    if isinstance(scheme, TableSoftmax):
        words = {f.TABLE: keep(table.astype(np.int16)), f.SECOND: keep(tables16()[1])}
        return f.SOFTMAX_TABLE, words
    if not isinstance(scheme, IbertSoftmax):
        names = ("FixedSoftmax", "FloatSoftmax", "TableSoftmax", "IbertSoftmax")
        raise NotInStream(no_case(scheme, "scheme", names))
    call = source.program.calls[index]
    differences = 1 << source.format(call.inputs[0]).bits
    words = {
        f.TABLE: keep(table[:differences]), f.DIFFERENCES: differences,
        f.NUDGE: scheme.nudge(source.format(call.output)),
    }  # fmt: skip
    return f.SOFTMAX_IBERT, words


def encode_argmax(source: Source, index: int) -> list[Command]:
    """Encode an argmax.

    Raises:
        NotInStream: codes of 64 bits without a sign.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    axis = a["axis"] % len(operand(source, call.inputs[0]).shape)
    name, copies, (outer, depth, inner) = along(source, index, {axis}, keepdims=a["keepdims"])
    words = {
        f.N: outer, f.C: depth, f.O: inner, f.FROM_END: int(a.get("last", False)),
        f.X_KIND: kind_of(source.layouts[name]), f.Y_KIND: kind_of(source.layouts[call.output]),
    }  # fmt: skip
    work = 8 * depth + 64
    cost = _COST * outer * depth * inner
    command = Command((index,), (name,), call.output, f.ARGMAX, words, work, products=cost)
    return [*copies, command]
