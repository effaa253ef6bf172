"""The end of a band's sums: to codes, or as they are, into the arena."""

from __future__ import annotations

from typing import Final

import numpy as np

from hw_models.compiled import kernel, part
from hw_models.stream.fields import IMAGES, MODE, PITCH, ROWS_FLOATS, TABLE, TAIL, UNIT, WAY, O
from hw_models.stream.floats import dequantize_16
from hw_models.stream.memory import int8_at, int16_at, int32_at, int64_at
from hw_models.stream.requantize import requantize_16

_FLOAT: Final = 4
BLOCK: Final = 16  # channels that requantize takes at once
SUM_BYTES: Final = 4
WORD_HEADER: Final = 3  # of a table for codes of 16 bits: zero point, least and largest code


@part
def _words(d, y, constants, sums, width, column, parameter, outputs, pixels):  # type: ignore[no-untyped-def]
    """Write codes of 16 bits: one product in 64 bits, and one rounding half up."""
    columns = d[PITCH]
    table = int64_at(constants + d[TABLE], WORD_HEADER + 3 * columns)
    zero, low, high = table[0], table[1], table[2]
    first = WORD_HEADER + parameter
    multipliers = table[first : first + outputs]
    addends = table[first + columns : first + columns + outputs]
    shifts = table[first + 2 * columns : first + 2 * columns + outputs]
    for p in range(pixels):
        source = int32_at(sums + p * width * SUM_BYTES, BLOCK)
        to = int16_at(y + (p * d[O] + column) * 2, BLOCK)
        for c in range(outputs):
            v = ((np.int64(source[c]) * multipliers[c] + addends[c]) >> shifts[c]) + zero
            to[c] = min(max(v, low), high)


@part
def _values(way, sums, pitch, y, step, table, columns, parameter, rows, images, pixels):  # type: ignore[no-untyped-def]
    """Write float32 values of 16 outputs; no sum exceeds 32 bits."""
    factors = table + parameter * _FLOAT
    weights, bias = factors + columns * _FLOAT, factors + 2 * columns * _FLOAT
    points = rows + images * _FLOAT
    dequantize_16(sums, pitch, y, step, factors, weights, bias, rows, points, pixels, way)


@part
def _floats(d, y, constants, work, sums, width, column, parameter, outputs, pixels):  # type: ignore[no-untyped-def]
    """Dequantize; a last block of fewer channels a row at a time, by way of the workspace."""
    table, rows, way = constants + d[TABLE], work + d[ROWS_FLOATS], d[WAY] - 1
    pitch, step = width * SUM_BYTES, d[O] * _FLOAT
    y += column * _FLOAT
    if outputs == BLOCK:
        _values(
            way, sums, pitch, y, step, table, d[PITCH], parameter, rows, d[IMAGES], pixels
        )  # fmt: skip
        return
    tail = work + d[TAIL]
    for p in range(pixels):
        _values(
            way, sums + p * pitch, pitch, tail, step, table, d[PITCH], parameter,
            rows + p * _FLOAT, d[IMAGES], np.int64(1),
        )  # fmt: skip
        source, to = int32_at(tail, BLOCK), int32_at(y + p * step, BLOCK)
        for c in range(outputs):
            to[c] = source[c]


@kernel(nogil=True)
def finish(d, y, constants, work, sums, width, column, parameter, outputs, pixels):  # type: ignore[no-untyped-def]
    """Write 16 channels of a band's sums, from ``column`` on; ``outputs`` of them exist."""
    pitch = d[O]
    if d[WAY]:
        _floats(d, y, constants, work, sums, width, column, parameter, outputs, pixels)
        return
    if d[UNIT] == 2:
        _words(d, y, constants, sums, width, column, parameter, outputs, pixels)
        return
    if d[UNIT] == SUM_BYTES:
        for p in range(pixels):
            source = int32_at(sums + p * width * SUM_BYTES, BLOCK)
            to = int32_at(y + (p * pitch + column) * SUM_BYTES, BLOCK)
            for c in range(outputs):
                to[c] = source[c]
        return
    table = constants + d[TABLE]
    if outputs == BLOCK:
        requantize_16(
            sums, width * SUM_BYTES, y + column, pitch, table, parameter, d[PITCH], pixels, d[MODE]
        )
        return
    # A whole vector would overwrite the next pixel's channels, perhaps another thread's.
    tail = work + d[TAIL]
    requantize_16(sums, width * SUM_BYTES, tail, BLOCK, table, parameter, d[PITCH], pixels, d[MODE])
    for p in range(pixels):
        source8 = int8_at(tail + p * BLOCK, BLOCK)
        to8 = int8_at(y + p * pitch + column, BLOCK)
        for c in range(outputs):
            to8[c] = source8[c]
