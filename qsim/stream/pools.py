"""Encodes pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.program import dims, pairs
from qsim.stream.command import Command, NotInStream

if TYPE_CHECKING:
    from qsim.stream.source import Source


def encode(source: Source, index: int) -> list[Command]:
    """Encode a pooling of codes of 8 bits, or of 16 with a sign.

    Raises:
        NotInStream: other codes; a window whose sum may exceed 32 bits.
    """
    from hw_models._pool_windows import counts, tables, windows
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    a: Any = call.attributes
    x = source.codes(call.inputs[0], wide=True)
    if source.codes(call.output, wide=True).dtype.itemsize != x.dtype.itemsize:
        raise NotInStream("a pooling makes codes of another size than it takes")
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
        f.CODE_BYTES: x.dtype.itemsize,
    }  # fmt: skip
    if not average:
        work = -(-8 * row_taps * column_taps // 64) * 64
        return [Command((index,), call.inputs, call.output, f.MAX_POOL, words, work)]
    codes = source.format(call.inputs[0])
    reach = row_taps * column_taps * (max(-codes.min, codes.max) + abs(a["zero_point"]))
    if reach >= 1 << 31 or a.get("centered"):
        raise NotInStream("the sum of a window may exceed 32 bits")
    from hw_models.avg_pool import division_code

    output = source.format(call.output)
    words |= _average_words(a, output.min, output.max, division_code(a["rounding"]))
    words[f.COUNTS] = keep(counts(found))
    work = -(-4 * x.shape[1] // 64) * 64
    return [Command((index,), call.inputs, call.output, f.AVG_POOL, words, work)]


def _average_words(a: Any, low: int, high: int, rounding: int) -> dict[int, int]:
    from hw_models.stream import fields as f

    return {
        f.LOW: low, f.HIGH: high, f.OFFSET: 0, f.BORDER: a["zero_point"],
        f.INCLUDE_PAD: int(a["count_include_pad"]), f.ROUNDING: rounding,
    }  # fmt: skip
