"""Depthwise correlations of a command stream: each channel with its own taps, a band at a time."""

from __future__ import annotations

import numpy as np

from hw_models.compiled import kernel
from hw_models.stream.bands import copy_band, place
from hw_models.stream.entries import call_finish
from hw_models.stream.fields import (
    BANDS,
    COLUMNS,
    FINISH,
    INIT,
    OFFSETS,
    OH,
    OUT_COLUMN,
    OUT_ROW,
    OW,
    STEPS,
    SUMS,
    UNIT,
    WEIGHTS,
    C,
    O,
    Y,
)
from hw_models.stream.finish import BLOCK, SUM_BYTES
from hw_models.stream.memory import take
from hw_models.stream.tiles import depth_1, depth_4


@kernel(nogil=True)
def depthwise(d, arena, constants, _arguments, work, parts, _thread, _threads):  # type: ignore[no-untyped-def]
    """Correlate each channel with its own taps; add the bias; requantize, if asked."""
    unit = d[UNIT]
    sums, offsets = work + d[SUMS], constants + d[OFFSETS]
    step = d[OUT_COLUMN] * d[C] * 2
    row = d[OUT_ROW] * d[COLUMNS] * d[C] * 2
    # Variables, not constants: what they are handed to would be compiled once more for each.
    words, block = np.bool_(False), np.int64(BLOCK)
    band = take(parts)
    while band < d[BANDS]:
        image, images, first, rows = place(d, band)
        image_bytes = copy_band(d, arena, work, image, images, first, rows, words)
        pixels = images * rows * d[OW]
        y = arena + d[Y] + (image * d[OH] + first) * d[OW] * d[O] * unit
        for column in range(0, d[C], BLOCK):
            weights = constants + d[WEIGHTS] + column * d[STEPS] * 4
            init = constants + d[INIT] + column * SUM_BYTES
            to = sums
            for n in range(images):
                for r in range(rows):
                    base = work + n * image_bytes + r * row + column * 2
                    whole = d[OW] // 4
                    for _ in range(whole):
                        depth_4(base, step, offsets, d[STEPS], weights, init, to)
                        base += 4 * step
                        to += 4 * BLOCK * SUM_BYTES
                    for _ in range(d[OW] - 4 * whole):
                        depth_1(base, step, offsets, d[STEPS], weights, init, to)
                        base += step
                        to += BLOCK * SUM_BYTES
            outputs = min(BLOCK, d[C] - column)
            call_finish(
                d[FINISH], d, y, constants, work, sums, block, column, column, outputs, pixels
            )
        band = take(parts)
