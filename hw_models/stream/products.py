"""Products of a command stream: correlation, bias and requantize of a band of rows at a time.

Sums pass from registers through the first cache to codes in the arena. Threads take bands, or parts
of a band's channels: none writes what another reads.
"""

from __future__ import annotations

from typing import Final

from hw_models.compiled import kernel, part
from hw_models.compiled.instructions import MATRIX
from hw_models.stream.bands import copy_band, find_bases, move_bases, place
from hw_models.stream.entries import call_finish
from hw_models.stream.fields import (
    BANDS,
    BASES,
    BLOCK_COUNT,
    BLOCKS,
    BYTES_KIND,
    FINISH,
    GATHERED_STEPS,
    GROUP_CODES,
    GROUP_COLUMNS,
    GROUP_OUTPUTS,
    GROUP_WEIGHTS,
    GROUPS,
    INIT,
    KIND,
    MATRIX_STEPS,
    OFFSETS,
    OH,
    OW,
    PAIRS_KIND,
    PANEL,
    SHARES,
    STEPS,
    SUMS,
    UNIT,
    WEIGHTS,
    WORDS_KIND,
    O,
    Y,
)
from hw_models.stream.finish import BLOCK, SUM_BYTES
from hw_models.stream.matrix import COLUMNS, GATHERED, PANEL_ROWS, begin, end, multiply
from hw_models.stream.matrix import STEPS as MATRIX_ROW
from hw_models.stream.memory import int64_at, take
from hw_models.stream.tiles import (
    BYTES,
    FEW,
    HALF,
    ROUND,
    WIDE,
    bytes_16,
    bytes_32,
    bytes_32_few,
    bytes_64,
    pairs_16,
    pairs_32,
    pairs_64,
    words_16,
    words_32,
    words_64,
)

_PIECE: Final = 1 << 14  # bytes of weights


@part
def _half_round(kind, bases, offsets, steps, weights, init, pitch, to):  # type: ignore[no-untyped-def]
    """Sum half a round of pixels times a block of 64 channels."""
    if BYTES and kind == BYTES_KIND:
        bytes_64(bases, offsets, steps, weights, init, pitch, to)
    elif kind == PAIRS_KIND:
        pairs_64(bases, offsets, steps, weights, init, pitch, to)
    else:
        words_64(bases, offsets, steps, weights, init, pitch, to)


@part
def _multiply(kind, width, left, bases, offsets, steps, weights, init, pitch, to):  # type: ignore[no-untyped-def]
    """Sum one round of pixels, of which ``left`` are wanted, times a block of channels."""
    if WIDE and width == 64:
        _half_round(kind, bases, offsets, steps, weights, init, pitch, to)
        if left > HALF:
            bases, init, to = bases + HALF * 8, init + HALF * pitch, to + HALF * 64 * SUM_BYTES
            _half_round(kind, bases, offsets, steps, weights, init, pitch, to)
    elif BYTES and kind == BYTES_KIND:
        if width == 32 and left <= FEW:
            bytes_32_few(bases, offsets, steps, weights, init, pitch, to)
        elif width == 32:
            bytes_32(bases, offsets, steps, weights, init, pitch, to)
        else:
            bytes_16(bases, offsets, steps, weights, init, pitch, to)
    elif kind == PAIRS_KIND:
        if WIDE and width == 32:
            pairs_32(bases, offsets, steps, weights, init, pitch, to)
        else:
            pairs_16(bases, offsets, steps, weights, init, pitch, to)
    elif WIDE and width == 32:
        words_32(bases, offsets, steps, weights, init, pitch, to)
    else:
        words_16(bases, offsets, steps, weights, init, pitch, to)


@part(inline="always")
def _block(d, constants, work, y, weights, width, column, group, pixels):  # type: ignore[no-untyped-def]
    """Multiply the copied band by one block of a group's channels, ``width`` from ``column`` on."""
    step_bytes = 2 if d[KIND] == PAIRS_KIND else 4
    sums = work + d[SUMS]
    parameter = group * d[GROUP_COLUMNS] + column
    init = constants + d[INIT] + parameter * SUM_BYTES
    done = 0
    if MATRIX and width >= COLUMNS:
        done = d[GATHERED_STEPS] if width >= GATHERED else d[MATRIX_STEPS]
        for start in range(0, done, PANEL_ROWS * MATRIX_ROW):
            rows = min(PANEL_ROWS, (done - start) // MATRIX_ROW)
            multiply(
                work + d[BASES], constants + d[OFFSETS] + start * 8, rows,
                start + rows * MATRIX_ROW <= d[MATRIX_STEPS], work + d[PANEL],
                weights + start * width * step_bytes, sums if start else init,
                width * SUM_BYTES if start else 0, sums, width, pixels,
            )  # fmt: skip
    # A piece of the weights stays in the first cache while all pixels pass by.
    piece = max(1, _PIECE // (width * step_bytes))
    for start in range(done, d[STEPS], piece):
        for r in range(-(-pixels // ROUND)):
            to = sums + r * ROUND * width * SUM_BYTES
            _multiply(
                d[KIND], width, pixels - r * ROUND, work + d[BASES] + r * ROUND * 8,
                constants + d[OFFSETS] + start * 8, min(piece, d[STEPS] - start),
                weights + start * width * step_bytes, to if start else init,
                width * SUM_BYTES if start else 0, to,
            )  # fmt: skip
    for lane in range(0, min(width, d[GROUP_OUTPUTS] - column), BLOCK):
        outputs = min(BLOCK, d[GROUP_OUTPUTS] - column - lane)
        call_finish(
            d[FINISH], d, y, constants, work, sums + lane * SUM_BYTES, width,
            group * d[GROUP_OUTPUTS] + column + lane, parameter + lane, outputs, pixels,
        )  # fmt: skip


@kernel(nogil=True)
def products(d, arena, constants, _arguments, work, parts, _thread, threads):  # type: ignore[no-untyped-def]
    """Correlate codes with constant weights; add the bias; requantize, if asked."""
    if d[KIND] < BYTES_KIND or d[KIND] > WORDS_KIND or (d[KIND] == BYTES_KIND and not BYTES):
        # Before any thread takes a part, so that none waits for the others at the barrier.
        raise ValueError("no tile has this kind of codes")
    byte = d[KIND] == BYTES_KIND
    blocks = int64_at(constants + d[BLOCKS], 3 * d[BLOCK_COUNT])
    unit = d[UNIT]
    shares = d[SHARES] if threads > 1 else 1
    part, copied, pixels = take(parts), -1, 0
    unit_used = MATRIX and d[MATRIX_STEPS] + d[GATHERED_STEPS] > 0
    if unit_used:
        begin()
    while part < d[BANDS] * shares:
        band, share = part // shares, part % shares
        image, images, first, rows = place(d, band)
        if band != copied:
            size = copy_band(d, arena, work, image, images, first, rows, byte)
            pixels = find_bases(d, work + d[BASES], work, images, rows, size, byte)
            copied = band
        y = arena + d[Y] + (image * d[OH] + first) * d[OW] * d[O] * unit
        for g in range(d[GROUPS]):
            weights = constants + d[WEIGHTS] + g * d[GROUP_WEIGHTS]
            for k in range(
                share * d[BLOCK_COUNT] // shares, (share + 1) * d[BLOCK_COUNT] // shares
            ):
                width, column, at = blocks[3 * k], blocks[3 * k + 1], blocks[3 * k + 2]
                _block(d, constants, work, y, weights + at, width, column, g, pixels)
            if d[GROUPS] > 1:
                move_bases(work + d[BASES], pixels, d[GROUP_CODES])
        if d[GROUPS] > 1:
            move_bases(work + d[BASES], pixels, -d[GROUPS] * d[GROUP_CODES])
        part = take(parts)
    if unit_used:
        end()
