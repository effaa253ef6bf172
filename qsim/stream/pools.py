"""Encodes pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.program import dims, pairs
from qsim.stream.command import Command, NotInStream

if TYPE_CHECKING:
    from hw_models.pools.windows import Windows
    from qsim.stream.source import Source


def encode(source: Source, index: int) -> list[Command]:
    """Encode a pooling of codes of 8 bits, or of 16 with a sign.

    Raises:
        NotInStream: other codes; windows of three dimensions or of differing lengths; a window
            whose sum may exceed 32 bits.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    x = source.codes(call.inputs[0], wide=True)
    if source.codes(call.output, wide=True).dtype.itemsize != x.dtype.itemsize:
        raise NotInStream("a pooling makes codes of another size than it takes")
    average = call.primitive == "avg_pool"
    rows, columns = _windows(x.shape, a, average=average)
    keep = source.constants.add
    height, width = x.shape[2:] if len(x.shape) == 4 else (1, x.shape[2])
    words = {
        f.N: x.shape[0], f.H: height, f.W: width, f.C: x.shape[1],
        f.OH: len(rows.starts), f.OW: len(columns.starts),
        f.ROW_STARTS: keep(rows.starts), f.ROW_TAPS: rows.taps, f.ROW_DILATION: rows.step,
        f.COLUMN_STARTS: keep(columns.starts), f.COLUMN_TAPS: columns.taps,
        f.COLUMN_DILATION: columns.step, f.SIGNED: int(source.format(call.inputs[0]).signed),
        f.CODE_BYTES: x.dtype.itemsize,
    }  # fmt: skip
    taps = rows.taps * columns.taps
    if not average:
        work = -(-8 * taps // 64) * 64
        return [Command((index,), call.inputs, call.output, f.MAX_POOL, words, work)]
    codes, divisor = source.format(call.inputs[0]), a.get("divisor")
    reach = taps * max(-codes.min, codes.max) + max(taps, divisor or 0) * abs(a["zero_point"])
    if reach >= 1 << 31 or a.get("centered"):
        raise NotInStream("the sum of a window may exceed 32 bits")
    from hw_models.pools.avg_pool import division_code

    output = source.format(call.output)
    words |= _average_words(a, output.min, output.max, division_code(a["rounding"]))
    counts = rows.counts[:, None] * columns.counts
    words[f.COUNTS] = keep(counts if divisor is None else np.full_like(counts, divisor))
    work = -(-4 * x.shape[1] // 64) * 64
    return [Command((index,), call.inputs, call.output, f.AVG_POOL, words, work)]


def _windows(shape: tuple[int, ...], a: Any, *, average: bool) -> tuple[Windows, Windows]:
    """Return the windows of rows and columns; a line has one row."""
    from hw_models.pools.windows import adaptive_windows, three, windows

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
