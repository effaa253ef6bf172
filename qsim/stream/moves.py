"""Encodes copies, reshape, permute and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.program import dims, pairs
from qsim.stream.command import Command, NotInStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models._pool_windows import Windows
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
    """Encode a pooling of codes of 8 bits.

    Raises:
        NotInStream: windows of three dimensions or of differing lengths, or sums of more than 32
            bits.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    x = source.codes(call.inputs[0])
    source.codes(call.output)
    average = call.primitive == "avg_pool"
    rows, columns = _pool_windows(x.shape, a, average=average)
    keep = source.constants.add
    height, width = x.shape[2:] if len(x.shape) == 4 else (1, x.shape[2])
    words = {
        f.N: x.shape[0], f.H: height, f.W: width, f.C: x.shape[1],
        f.OH: len(rows.starts), f.OW: len(columns.starts),
        f.ROW_STARTS: keep(rows.starts), f.ROW_TAPS: rows.taps, f.ROW_DILATION: rows.step,
        f.COLUMN_STARTS: keep(columns.starts), f.COLUMN_TAPS: columns.taps,
        f.COLUMN_DILATION: columns.step, f.SIGNED: int(source.format(call.inputs[0]).signed),
    }  # fmt: skip
    taps = rows.taps * columns.taps
    if not average:
        work = -(-8 * taps // 64) * 64
        return Command((index,), call.inputs, call.output, f.MAX_POOL, words, work)
    codes, divisor = source.format(call.inputs[0]), a.get("divisor")
    reach = taps * max(-codes.min, codes.max) + max(taps, divisor or 0) * abs(a["zero_point"])
    if reach >= 1 << 31 or a.get("centered"):
        raise NotInStream("the sum of a window may exceed 32 bits")
    from hw_models.avg_pool import division_code

    output = source.format(call.output)
    words |= _average_words(a, output.min, output.max, division_code(a["rounding"]))
    counts = rows.counts[:, None] * columns.counts
    words[f.COUNTS] = keep(counts if divisor is None else np.full_like(counts, divisor))
    return Command(
        (index,), call.inputs, call.output, f.AVG_POOL, words, work=-(-4 * x.shape[1] // 64) * 64
    )


def _pool_windows(shape: tuple[int, ...], a: Any, *, average: bool) -> tuple[Windows, Windows]:
    """Return the windows of rows and columns; a line has one row."""
    from hw_models._pool_windows import adaptive_windows, three, windows

    if len(shape) > 4:
        raise NotInStream("windows of three dimensions")
    dummy = np.broadcast_to(np.int8(0), shape)
    size = dims(a.get("output_size"))
    if size is not None or a["kernel"] is None:
        found = adaptive_windows(dummy, 1 if size is None else size)
    else:
        dilation = 1 if average else dims(a["dilation"])
        kernel, stride, ends = dims(a["kernel"]), dims(a["stride"]), pairs(a["padding"])
        found = windows(dummy, kernel, stride, ends, dilation, ceil_mode=a["ceil_mode"])
    _, rows, columns = three(found)
    if not (rows.uniform and columns.uniform):
        raise NotInStream("windows of differing lengths")
    return rows, columns


def _average_words(a: Any, low: int, high: int, rounding: int) -> dict[int, int]:
    from hw_models.stream import fields as f

    return {
        f.LOW: low, f.HIGH: high, f.OFFSET: 0, f.BORDER: a["zero_point"],
        f.INCLUDE_PAD: int(a["count_include_pad"] or a.get("divisor") is not None),
        f.ROUNDING: rounding,
    }  # fmt: skip
