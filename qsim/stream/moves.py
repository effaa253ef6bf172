"""Encodes copies, reshape, permute and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.program import dims, pairs
from qsim.stream.command import Command, NotInStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Call
    from qsim.stream.layout import Layout
    from qsim.stream.source import Source


def copy_words(sizes: Sequence[int], strides: Sequence[int], item: int) -> dict[int, int]:
    """Return the words of a copy.

    Args:
        sizes: of the result as it lies in memory, outermost first.
        strides: distances in the source, in elements, that go with them.
        item: bytes of an element.

    Raises:
        NotInStream: more dimensions than a descriptor has, or elements of another size than 1, 2,
            4 or 8 bytes.
    """
    from hw_models.stream import fields as f

    if item not in (1, 2, 4, 8):
        raise NotInStream(f"elements of {item} bytes")
    merged: list[tuple[int, int]] = []
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    if len(merged) > f.DIMENSIONS:
        raise NotInStream(f"a copy of {len(merged)} dimensions")
    merged = [(1, 0)] * (f.DIMENSIONS - len(merged)) + merged
    words = {f.D0 + i: size for i, (size, _) in enumerate(merged)}
    words |= {f.S0 + i: stride for i, (_, stride) in enumerate(merged)}
    return words | {f.ITEM: item}


def reorder(layout: Layout, order: Sequence[int]) -> dict[int, int]:
    """Return the words that copy a tensor so that it lies in another order."""
    strides = layout.strides
    sizes = [layout.shape[axis] for axis in order]
    return copy_words(sizes, [strides[axis] for axis in order], layout.dtype.itemsize)


def encode_permute(source: Source, index: int) -> Command:
    """Encode a permute: a copy into the result's order."""
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    x, y = _tensors(source, call)
    moved: Any = call.attributes["dims"]
    words = reorder(x, [moved[axis] for axis in y.order])
    return Command((index,), call.inputs, call.output, f.COPY, words)


def encode_reshape(source: Source, index: int) -> Command:
    """Encode a reshape: nothing moves where both lie in logical order.

    Raises:
        NotInStream: neither lies in logical order, so that one copy is not enough.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    x, y = _tensors(source, call)
    if y.plain:
        words = reorder(x, range(len(x.shape)))
    elif x.plain:
        steps = np.cumprod((1, *y.shape[:0:-1]))[::-1]
        words = copy_words(y.memory, [int(steps[axis]) for axis in y.order], y.dtype.itemsize)
    else:
        raise NotInStream("both sides of a reshape have their channels innermost")
    return Command((index,), call.inputs, call.output, f.COPY, words)


def _tensors(source: Source, call: Call) -> tuple[Layout, Layout]:
    if call.inputs[0] in source.program.constants:
        raise NotInStream(f"{call.inputs[0]} is a constant")
    return source.layouts[call.inputs[0]], source.layouts[call.output]


def encode_pool(source: Source, index: int) -> Command:
    """Encode a pooling of codes of 8 bits."""
    from hw_models._pool_windows import counts, tables, windows
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    x = source.codes(call.inputs[0])
    source.codes(call.output)
    dummy = np.broadcast_to(np.int8(0), x.shape)
    whole = a["kernel"] is None
    average = call.primitive == "avg_pool"
    found = windows(
        dummy,
        x.shape[2:] if whole else dims(a["kernel"]),
        None if whole else dims(a["stride"]),
        0 if whole else pairs(a["padding"]),
        1 if average or whole else dims(a["dilation"]),
        ceil_mode=a["ceil_mode"] and (average or not whole),
    )
    rows, row_taps, row_step, columns, column_taps, column_step = tables(found)
    keep = source.constants.add
    height, width = x.shape[2:] if len(x.shape) == 4 else (1, x.shape[2])
    words = {
        f.N: x.shape[0], f.H: height, f.W: width, f.C: x.shape[1],
        f.OH: len(rows), f.OW: len(columns),
        f.ROW_STARTS: keep(rows), f.ROW_TAPS: row_taps, f.ROW_DILATION: row_step,
        f.COLUMN_STARTS: keep(columns), f.COLUMN_TAPS: column_taps,
        f.COLUMN_DILATION: column_step, f.SIGNED: int(source.format(call.inputs[0]).signed),
    }  # fmt: skip
    if not average:
        work = -(-8 * row_taps * column_taps // 64) * 64
        return Command((index,), call.inputs, call.output, f.MAX_POOL, words, work)
    codes = source.format(call.inputs[0])
    reach = row_taps * column_taps * (max(-codes.min, codes.max) + abs(a["zero_point"]))
    if reach >= 1 << 31 or a.get("centered"):
        raise NotInStream("the sum of a window may exceed 32 bits")
    from hw_models.avg_pool import division_code

    output = source.format(call.output)
    words |= _average_words(a, output.min, output.max, division_code(a["rounding"]))
    words[f.COUNTS] = keep(counts(found))
    return Command(
        (index,), call.inputs, call.output, f.AVG_POOL, words, work=-(-4 * x.shape[1] // 64) * 64
    )


def _average_words(a: Any, low: int, high: int, rounding: int) -> dict[int, int]:
    from hw_models.stream import fields as f

    return {
        f.LOW: low, f.HIGH: high, f.OFFSET: 0, f.BORDER: a["zero_point"],
        f.INCLUDE_PAD: int(a["count_include_pad"]), f.ROUNDING: rounding,
    }  # fmt: skip
