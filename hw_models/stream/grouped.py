"""Products with weights in groups in a command stream: ``hw_models.dynamic.linear_groups``.

A group's sums go from registers into the first cache, are added to float32 totals there, and make
room for the next group's. Products are those of ``products``: register tiles, or the matrix unit,
whose rows hold a group's bytes, filled up with weights of 0.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hw_models.compiled import kernel, part
from hw_models.compiled.instructions import MATRIX
from hw_models.stream.bands import copy_band, find_bases, place
from hw_models.stream.fields import (
    BANDS,
    BASES,
    BLOCK_COUNT,
    BLOCKS,
    BYTES_KIND,
    END_WAY,
    FLIP,
    IMAGES,
    INIT,
    MATRIX_STEPS,
    OFFSETS,
    PART_STEPS,
    PARTS,
    PITCH,
    POINTED,
    ROWS_FLOATS,
    SHARES,
    STEPS,
    SUMS,
    SUMS_APART,
    TABLE,
    TAIL,
    TOTALS,
    WAY,
    WEIGHTS,
    C,
    O,
    Y,
)
from hw_models.stream.finish import BLOCK, SUM_BYTES
from hw_models.stream.group_floats import TOGETHER, add_16, add_64, end_16
from hw_models.stream.group_rows import (
    AT_ONCE,
    WIDTH,
    add_groups,
    add_whole_groups,
    begin_pointed,
)
from hw_models.stream.matrix import COLUMNS, NATIVE, ROWS_AT_ONCE, begin, end
from hw_models.stream.matrix import STEPS as MATRIX_ROW
from hw_models.stream.matrix_rows import begin_halves, multiply_rows
from hw_models.stream.memory import float32_at, int32_at, int64_at, take
from hw_models.stream.products import multiply_round, row_parameters
from hw_models.stream.tiles import ROUND

# Rows whose sums and totals stay in the first cache: whole blocks of the matrix unit, whole rounds.
CHUNKS: Final = (32, 48)
ROW: Final = 64  # bytes of a group's codes and zero point
HALF: Final = 32  # bytes of codes among them, at most


@part
def _group(d, constants, work, sums, start, weights, width, group, rows):  # type: ignore[no-untyped-def]
    """Write the sums of one group, for rows of a band from ``start`` on."""
    zeros = constants + d[INIT]
    if MATRIX and width >= COLUMNS and d[MATRIX_STEPS]:
        offset = int64_at(constants + d[OFFSETS] + group * d[PART_STEPS] * 8, 1)[0]
        count = d[PART_STEPS] // MATRIX_ROW  # 0: half a row
        codes = work + start * d[C] + offset
        for first in range(0, rows, ROWS_AT_ONCE):
            there = codes + first * d[C], sums + first * width * SUM_BYTES
            multiply_rows(there[0], d[C], count, weights, there[1], width)
        return
    offsets = constants + d[OFFSETS] + group * d[PART_STEPS] * 8
    for r in range(-(-rows // ROUND)):
        multiply_round(
            BYTES_KIND, width, rows - r * ROUND, work + d[BASES] + (start + r * ROUND) * 8,
            offsets, d[STEPS], weights, zeros, np.int64(0),
            sums + r * ROUND * width * SUM_BYTES,
        )  # fmt: skip


@part
def _add(d, constants, work, width, column, group, groups, scales, points, rows):  # type: ignore[no-untyped-def]
    """Add the sums of groups to the totals."""
    pitch, way, step = width * SUM_BYTES, d[WAY] - 1, d[PITCH] * 4
    sums, totals, apart = work + d[SUMS], work + d[TOTALS], d[SUMS_APART]
    factors = constants + d[TABLE] + group * step + column * 4
    weights = factors + d[PARTS] * step
    if width == 4 * BLOCK and groups == TOGETHER:
        add_64(
            way, sums, totals, pitch, apart, step, factors, weights, scales, points, rows
        )  # fmt: skip
        return
    for number in range(groups):
        for lane in range(0, pitch, BLOCK * 4):
            at = number * step + lane
            add_16(
                way, sums + number * apart + lane, totals + lane, pitch, apart, step, factors + at,
                weights + at, scales, points, rows,
            )  # fmt: skip


@part
def _lay_out(d, constants, work, points, pixels):  # type: ignore[no-untyped-def]
    """Copy the rows of a band, group by group, four times their zero point behind each."""
    offsets = int64_at(constants + d[OFFSETS], d[PARTS] * d[PART_STEPS])
    zeros = int32_at(points, pixels)
    for group in range(d[PARTS]):
        source, to = work + offsets[group * d[PART_STEPS]], work + d[POINTED]
        to += group * d[IMAGES] * ROW
        for p in range(pixels):
            codes, copied = int64_at(source + p * d[C], 4), int64_at(to + p * ROW, 4)
            for i in range(4):
                copied[i] = codes[i]
            int32_at(to + p * ROW + HALF, 1)[0] = np.int32(-zeros[p]) * np.int32(0x01010101)


@part
def _together(d, constants, work, start, weights, column, scales, points):  # type: ignore[no-untyped-def]
    """Add all groups to the totals of 32 rows and 64 outputs."""
    step, next_weights = d[PITCH] * 4, d[PART_STEPS] * WIDTH * 4
    factors = constants + d[TABLE] + column * 4
    parts = factors + d[PARTS] * step
    at, rows = scales + start * 4, points + start * 4
    sums, totals = work + d[SUMS], work + d[TOTALS]
    if d[POINTED]:
        add_whole_groups(
            d[WAY] - 1, work + d[POINTED] + start * ROW, np.int64(ROW), d[IMAGES] * ROW, weights,
            next_weights, d[PARTS], sums, d[SUMS_APART], totals, factors, parts, step, at, rows,
        )  # fmt: skip
        return
    offsets = int64_at(constants + d[OFFSETS], d[PARTS] * d[PART_STEPS])
    apart = offsets[d[PART_STEPS]] - offsets[0] if d[PARTS] > 1 else np.int64(0)
    add_groups(
        d[WAY] - 1, work + start * d[C], d[C], apart, weights, next_weights, d[PARTS], sums,
        d[SUMS_APART], totals, factors, parts, step, at, rows,
    )  # fmt: skip


@part
def _take_unit(d, whole):  # type: ignore[no-untyped-def]
    """Tell the matrix unit its shapes, of ``_together`` with zero points or of ``_group``."""
    if whole:
        begin_pointed()
    elif d[PART_STEPS] < MATRIX_ROW:
        begin_halves()
    else:
        begin()


@part
def _end(d, constants, work, y, width, column, scales, rows):  # type: ignore[no-untyped-def]
    """Write the values of a block's outputs."""
    pitch, step = width * SUM_BYTES, d[O] * 4
    bias = constants + d[TABLE] + 2 * d[PARTS] * d[PITCH] * 4
    for lane in range(0, min(width, d[O] - column), BLOCK):
        totals, at = work + d[TOTALS] + lane * 4, column + lane
        outputs = min(BLOCK, d[O] - at)
        if outputs == BLOCK:
            end_16(totals, pitch, y + at * 4, step, bias + at * 4, scales, rows, d[END_WAY])
            continue
        for r in range(rows):
            tail, one = work + d[TAIL], np.int64(1)
            end_16(
                totals + r * pitch, pitch, tail, step, bias + at * 4, scales + r * 4, one,
                d[END_WAY],
            )  # fmt: skip
            source, to = int32_at(tail, BLOCK), int32_at(y + r * step + at * 4, BLOCK)
            for c in range(outputs):
                to[c] = source[c]


@kernel(nogil=True)
def grouped(d, arena, constants, _arguments, work, parts, _thread, threads):  # type: ignore[no-untyped-def]
    """Multiply rows of codes with weights in groups; make float32 values of them."""
    blocks = int64_at(constants + d[BLOCKS], 3 * d[BLOCK_COUNT])
    shares = d[SHARES] if threads > 1 else 1
    part, copied, pixels = take(parts), -1, 0
    scales = work + d[ROWS_FLOATS]
    points = scales + 4 * d[IMAGES]
    unit_used = MATRIX and d[MATRIX_STEPS] > 0
    chunk = CHUNKS[0] if unit_used else CHUNKS[1]
    pointed, told = NATIVE and unit_used and d[POINTED] > 0, np.int64(-1)
    while part < d[BANDS] * shares:
        band, share = part // shares, part % shares
        image, images, first, rows = place(d, band)
        if band != copied:
            size = copy_band(d, arena, work, image, images, first, rows, True)
            pixels = find_bases(d, work + d[BASES], work, images, rows, size, True)
            row_parameters(d, arena, work, image, pixels)
            zeros = int32_at(points, pixels)
            for p in range(pixels):
                zeros[p] = -zeros[p] - d[FLIP]
            if pointed:
                _lay_out(d, constants, work, points, pixels)
            copied = band
        for k in range(share * d[BLOCK_COUNT] // shares, (share + 1) * d[BLOCK_COUNT] // shares):
            width, column, at = blocks[3 * k], blocks[3 * k + 1], blocks[3 * k + 2]
            for start in range(0, pixels, chunk):
                count = min(chunk, pixels - start)
                weights = constants + d[WEIGHTS] + at
                float32_at(work + d[TOTALS], count * width)[:] = 0
                fits = width == WIDTH and count == AT_ONCE and d[PART_STEPS] <= MATRIX_ROW
                together = NATIVE and unit_used and fits
                shapes = np.int64(together and pointed)
                if unit_used and told != shapes:
                    _take_unit(d, shapes)
                    told = shapes
                if together:
                    _together(d, constants, work, start, weights, column, scales, points)
                for group in range(0, np.int64(0) if together else d[PARTS], TOGETHER):
                    groups = min(TOGETHER, d[PARTS] - group)
                    for number in range(groups):
                        sums = work + d[SUMS] + number * d[SUMS_APART]
                        _group(
                            d, constants, work, sums, start, weights, width, group + number, count
                        )
                        weights += d[PART_STEPS] * width * 4
                    _add(
                        d, constants, work, width, column, group, groups, scales + start * 4,
                        points + start * 4, count,
                    )  # fmt: skip
                y = arena + d[Y] + (image + start) * d[O] * 4
                _end(d, constants, work, y, width, column, scales + start * 4, count)
        part = take(parts)
    if unit_used:
        end()
