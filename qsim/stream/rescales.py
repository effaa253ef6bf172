"""Encodes what becomes codes by any rescale: wide sums, products and sums of 16 bits, means.

Where a table of every code does not do, values of 64 bits are rescaled by the exact kernels of
requantize (``hw_models.stream.rescales``). Which of them is decided by the range of the operands'
formats, where the interpreter has the values at hand.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from qsim.program import decode_scheme
from qsim.stream import elements
from qsim.stream.command import Command, NotInStream
from qsim.stream.ends import bounds_of, end_words, rescaling
from qsim.stream.lines import along, ends_of, kind_of, operand, same_order, split

if TYPE_CHECKING:
    from qsim.program import Call
    from qsim.stream.layout import Layout
    from qsim.stream.source import Source


def encode_requantize(source: Source, index: int) -> list[Command]:
    """Encode a requantize: as a table, or as a rescale of every element.

    Raises:
        NotInStream: a value that the scheme may refuse, or a draw.
    """
    from hw_models.stream import fields as f

    if (table := _table(source, index)) is not None:
        return table
    call = source.program.calls[index]
    a: Any = call.attributes
    operand(source, call.inputs[0])
    y, zero = source.layouts[call.output], a["input_zero_point"]
    name, copies = same_order(source, index, call.inputs[0], y)
    ends = tuple(code - zero for code in ends_of(source, call.inputs[0]))
    scheme = decode_scheme(a["scheme"], source.program.constants)
    words = end_words(source, y, scheme, ends, bounds_of(call)) | _shape(
        y, scheme.channels, a["axis"]
    )
    words |= {f.X_KIND: kind_of(source.layouts[name]), f.ZERO: zero}
    return [*copies, rescaling(index, (name,), call.output, f.RESCALE, words)]


def encode_mul(source: Source, index: int) -> list[Command]:
    """Encode a product: as a table of pairs, or as a product of every two elements.

    Raises:
        NotInStream: as of a requantize; a product that may exceed 64 bits.
    """
    if (table := _table(source, index)) is not None:
        return table
    call = source.program.calls[index]
    a: Any = call.attributes
    sides = _sides(source, call)
    products = [p * q for p, q in itertools.product(*sides)]
    scheme = decode_scheme(a["scheme"], source.program.constants)
    y, ends = source.layouts[call.output], (min(products), max(products))
    words = end_words(source, y, scheme, ends, bounds_of(call))
    words |= _shape(y, scheme.channels, a["axis"])
    return _combined(source, index, words)


def encode_add(source: Source, index: int) -> list[Command]:
    """Encode a sum: as a table of pairs, in 16 bits, or as a sum of every two elements.

    Raises:
        NotInStream: the reason, where the loop has no such sum.
    """
    from hw_models.addition.adders import AlignedAdd
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    try:
        return elements.encode(source, index)
    except NotInStream:
        adder = decode_scheme(a["scheme"], source.program.constants)
        if not isinstance(adder, AlignedAdd):
            raise
    left, right = _sides(source, call)
    low, high = (
        (p << adder.left_a) + (q << adder.left_b) for p, q in zip(left, right, strict=True)
    )
    accumulator = adder.accumulator
    if low < accumulator.min or high > accumulator.max:
        raise NotInStream(
            f"the {accumulator.bits}-bit accumulator may overflow ({accumulator.overflow})"
        )
    y = source.layouts[call.output]
    words = end_words(source, y, adder.out, (low, high), bounds_of(call)) | _shape(y, 0, 0)
    words |= {f.ADDS: 1, f.LEFT_SHIFT: adder.left_a, f.LEFT_SHIFT2: adder.left_b}
    return _combined(source, index, words)


def encode_mean(source: Source, index: int) -> list[Command]:
    """Encode a mean: the sums of its codes, and their rescale.

    Raises:
        NotInStream: as of a requantize.
    """
    from hw_models.mean import MAX_COUNT
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    rank = len(operand(source, call.inputs[0]).shape)
    axes = {axis % rank for axis in a["axes"]}
    ends = ends_of(source, call.inputs[0], narrow=True)
    name, copies, (outer, count, inner) = along(source, index, axes, keepdims=a["keepdims"])
    if not 1 <= count <= MAX_COUNT:
        raise NotInStream(f"a mean of {count} codes")
    zero = a["x_zero_point"]
    scheme = decode_scheme(a["scheme"], source.program.constants)
    sums = count * (ends[0] - zero), count * (ends[1] - zero)
    y = source.layouts[call.output]
    words = end_words(source, y, scheme, sums, bounds_of(call), count) | {
        f.N: outer, f.C: count, f.O: inner, f.CHANNELS: 1, f.ZERO: zero,
        f.X_KIND: kind_of(source.layouts[name]),
    }  # fmt: skip
    return [*copies, rescaling(index, (name,), call.output, f.REDUCE, words)]


def _table(source: Source, index: int) -> list[Command] | None:
    """Encode a call by a table of its codes; None where there is none."""
    try:
        return elements.encode(source, index)
    except NotInStream:
        return None


def _combined(source: Source, index: int, words: dict[int, int]) -> list[Command]:
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    names, copies = elements.spread(source, index, call.inputs)
    kinds = [kind_of(source.layouts[name]) for name in names]
    words = words | dict(zip((f.X_KIND, f.X2_KIND), kinds, strict=True))
    words |= {f.ZERO: a["a_zero_point"], f.ZERO2: a["b_zero_point"]}
    return [*copies, rescaling(index, names, call.output, f.COMBINE, words)]


def _sides(source: Source, call: Call) -> list[list[int]]:
    """Return the smallest and the largest value of both operands, without their zero points."""
    a: Any = call.attributes
    zeros = a["a_zero_point"], a["b_zero_point"]
    return [
        [code - zero for code in ends_of(source, name, narrow=True)]
        for name, zero in zip(call.inputs, zeros, strict=True)
    ]


def _shape(y: Layout, channels: int, axis: int) -> dict[int, int]:
    """Return the words of [outer, channels, inner]; one channel where there is one parameter."""
    from hw_models.stream import fields as f

    outer, count, inner = split(y, axis % len(y.shape)) if channels else (1, 1, y.size)
    return {f.N: outer, f.C: count, f.O: inner, f.CHANNELS: count}
