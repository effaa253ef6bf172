"""Bands of a command stream: which rows one has, and its input in the workspace.

A band's input rows are copied, widened and with their padding, so that every tile reads plain
windows.
"""

from __future__ import annotations

from hw_models.compiled import part
from hw_models.stream.fields import (
    COLUMN_STEP,
    COLUMNS,
    FLIP,
    IMAGES,
    INT8,
    INT16,
    LEFT,
    OH,
    OUT_COLUMN,
    OUT_ROW,
    OW,
    PAD,
    REACH,
    ROW_STEP,
    ROW_STRIDE,
    ROWS,
    SIGNED,
    TOP,
    C,
    H,
    N,
    W,
    X,
)
from hw_models.stream.memory import int8_at, int16_at, int64_at, uint8_at
from hw_models.stream.tiles import padded


@part
def place(d, band):  # type: ignore[no-untyped-def]
    """Return first image, images, first output row and rows of a band."""
    if d[IMAGES] > 1 or d[ROWS] == d[OH]:
        image = band * d[IMAGES]
        return image, min(d[IMAGES], d[N] - image), 0, d[OH]
    per_image = -(-d[OH] // d[ROWS])
    image = band // per_image
    first = (band - image * per_image) * d[ROWS]
    return image, 1, first, min(d[ROWS], d[OH] - first)


@part
def _fill(to, size, pad, byte):  # type: ignore[no-untyped-def]  # njit infers the types
    if byte:
        codes = uint8_at(to, size)
        for i in range(size):
            codes[i] = pad
    else:
        words = int16_at(to, size)
        for i in range(size):
            words[i] = pad


@part
def _widen(to, source, size, signed, byte, flip):  # type: ignore[no-untyped-def]
    """Copy codes: as unsigned bytes, less -128 where flip says so, or as int16."""
    if byte:
        bytes_, codes = uint8_at(to, size), uint8_at(source, size)
        for i in range(size):
            bytes_[i] = codes[i] ^ flip
    elif signed == INT8:
        words, plain = int16_at(to, size), int8_at(source, size)
        for i in range(size):
            words[i] = plain[i]
    elif signed == INT16:
        words, wide = int16_at(to, size), int16_at(source, size)
        for i in range(size):
            words[i] = wide[i]
    else:
        words, codes = int16_at(to, size), uint8_at(source, size)
        for i in range(size):
            words[i] = codes[i]


@part
def _copy_row(d, to, source, byte):  # type: ignore[no-untyped-def]
    """Copy one input row with the padding beside it; source < 0: the row is padding itself."""
    channels, columns, width, left, step = d[C], d[COLUMNS], d[W], d[LEFT], d[COLUMN_STEP]
    item = 1 if byte else 2
    if source < 0:
        _fill(to, columns * channels, d[PAD], byte)
        return
    if step == 1:
        before = min(left, columns)
        inside = min(width, columns - before)
        _fill(to, before * channels, d[PAD], byte)
        to += before * channels * item
        _widen(to, source, inside * channels, d[SIGNED], byte, d[FLIP])
        to += inside * channels * item
        _fill(to, (columns - before - inside) * channels, d[PAD], byte)
        return
    for column in range(columns):
        at = column * step - left
        if 0 <= at < width:
            code = 2 if d[SIGNED] == INT16 else 1
            _widen(to, source + at * channels * code, channels, d[SIGNED], byte, d[FLIP])
        else:
            _fill(to, channels, d[PAD], byte)
        to += channels * item


@part
def copy_band(d, arena, to, image, images, first, rows, byte):  # type: ignore[no-untyped-def]
    """Copy the input of a band's output rows; return the bytes of one image of it."""
    row = d[C] * d[COLUMNS] * (1 if byte else 2)
    copied = (rows - 1) * d[OUT_ROW] + d[REACH]
    line = d[W] * d[C] * (2 if d[SIGNED] == INT16 else 1)
    for n in range(image, image + images):
        start = arena + d[X] + n * d[H] * line
        for r in range(copied):
            y = first * d[ROW_STRIDE] + r * d[ROW_STEP] - d[TOP]
            source = start + y * line if 0 <= y < d[H] else -1
            _copy_row(d, to, source, byte)
            to += row
    return copied * row


@part
def find_bases(d, to, work, images, rows, image_bytes, byte):  # type: ignore[no-untyped-def]
    """List where each pixel's window begins, the last one's again up to whole tiles.

    Returns:
        How many pixels there are.
    """
    item = 1 if byte else 2
    step = d[OUT_COLUMN] * d[C] * item
    row = d[OUT_ROW] * d[COLUMNS] * d[C] * item
    pixels = images * rows * d[OW]
    bases = int64_at(to, padded(pixels))
    at = 0
    last = work
    for n in range(images):
        for r in range(rows):
            last = work + n * image_bytes + r * row
            for _ in range(d[OW]):
                bases[at] = last
                last += step
                at += 1
    for rest in range(at, bases.size):
        bases[rest] = last - step
    return pixels


@part
def move_bases(to, pixels, distance):  # type: ignore[no-untyped-def]
    """Move the windows of all pixels: to another group's channels."""
    bases = int64_at(to, padded(pixels))
    for p in range(bases.size):
        bases[p] += distance
