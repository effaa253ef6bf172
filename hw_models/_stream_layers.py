"""Products of a command stream: correlation, bias and requantize of a band of rows at a time.

A band's input rows are copied into the workspace, widened and with their padding, so that every
tile reads plain windows; its sums pass from registers through the first cache to codes in the
arena. Threads take bands in turn, or parts of a band's channels: none writes what another reads.
"""

from __future__ import annotations

from numba import njit

from hw_models._stream_fields import (
    BANDS,
    BASES,
    BLOCK_COUNT,
    BLOCKS,
    BYTES_KIND,
    COLUMN_STEP,
    COLUMNS,
    FLIP,
    GROUP_CODES,
    GROUP_COLUMNS,
    GROUP_OUTPUTS,
    GROUP_WEIGHTS,
    GROUPS,
    IMAGES,
    INIT,
    KIND,
    LEFT,
    MODE,
    OFFSETS,
    OH,
    OUT_COLUMN,
    OUT_ROW,
    OW,
    PAD,
    PAIRS_KIND,
    PITCH,
    REACH,
    ROW_STEP,
    ROW_STRIDE,
    ROWS,
    SHARES,
    SIGNED,
    STEPS,
    SUMS,
    TABLE,
    TAIL,
    TOP,
    WEIGHTS,
    C,
    H,
    N,
    O,
    W,
    X,
    Y,
)
from hw_models._stream_memory import int8_at, int16_at, int32_at, int64_at, uint8_at
from hw_models._stream_requantize import requantize_16
from hw_models._stream_tiles import (
    BYTES,
    ROUND,
    WIDE,
    bytes_16,
    bytes_32,
    bytes_64,
    depth_1,
    depth_4,
    pairs_16,
    pairs_32,
    pairs_64,
    words_16,
    words_32,
    words_64,
)

_BLOCK = 16  # channels that requantize takes at once
_SUM = 4  # bytes
_PIECE = 1 << 14  # bytes of weights


@njit
def _fill(to, size, pad, byte):  # type: ignore[no-untyped-def]  # njit infers the types
    if byte:
        codes = uint8_at(to, size)
        for i in range(size):
            codes[i] = pad
    else:
        words = int16_at(to, size)
        for i in range(size):
            words[i] = pad


@njit
def _widen(to, source, size, signed, byte, flip):  # type: ignore[no-untyped-def]
    """Copy codes of 8 bits: as unsigned bytes, less -128 where flip says so, or as int16."""
    if byte:
        bytes_, codes = uint8_at(to, size), uint8_at(source, size)
        for i in range(size):
            bytes_[i] = codes[i] ^ flip
    elif signed:
        words, plain = int16_at(to, size), int8_at(source, size)
        for i in range(size):
            words[i] = plain[i]
    else:
        words, codes = int16_at(to, size), uint8_at(source, size)
        for i in range(size):
            words[i] = codes[i]


@njit
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
            _widen(to, source + at * channels, channels, d[SIGNED], byte, d[FLIP])
        else:
            _fill(to, channels, d[PAD], byte)
        to += channels * item


@njit
def _copy_band(d, arena, to, image, images, first, rows, byte):  # type: ignore[no-untyped-def]
    """Copy the input of a band's output rows; return the bytes of one image of it."""
    row = d[C] * d[COLUMNS] * (1 if byte else 2)
    copied = (rows - 1) * d[OUT_ROW] + d[REACH]
    for n in range(image, image + images):
        start = arena + d[X] + n * d[H] * d[W] * d[C]
        for r in range(copied):
            y = first * d[ROW_STRIDE] + r * d[ROW_STEP] - d[TOP]
            source = start + y * d[W] * d[C] if 0 <= y < d[H] else -1
            _copy_row(d, to, source, byte)
            to += row
    return copied * row


@njit
def _find_bases(d, to, work, images, rows, image_bytes, byte):  # type: ignore[no-untyped-def]
    """List where each pixel's window begins, the last one's again up to a whole round."""
    item = 1 if byte else 2
    step = d[OUT_COLUMN] * d[C] * item
    row = d[OUT_ROW] * d[COLUMNS] * d[C] * item
    pixels = images * rows * d[OW]
    rounds = -(-pixels // ROUND)
    bases = int64_at(to, rounds * ROUND)
    at = 0
    last = work
    for n in range(images):
        for r in range(rows):
            last = work + n * image_bytes + r * row
            for _ in range(d[OW]):
                bases[at] = last
                last += step
                at += 1
    for rest in range(at, rounds * ROUND):
        bases[rest] = last - step
    return pixels, rounds


@njit
def _multiply(kind, width, bases, offsets, steps, weights, init, pitch, to):  # type: ignore[no-untyped-def]
    """Sum one round of pixels times a block of channels."""
    half = 6 * 64 * _SUM
    if BYTES and kind == BYTES_KIND:
        if width == 64:
            bytes_64(bases, offsets, steps, weights, init, pitch, to)
            bytes_64(bases + 48, offsets, steps, weights, init + 6 * pitch, pitch, to + half)
        elif width == 32:
            bytes_32(bases, offsets, steps, weights, init, pitch, to)
        else:
            bytes_16(bases, offsets, steps, weights, init, pitch, to)
    elif kind == PAIRS_KIND:
        if WIDE and width == 64:
            pairs_64(bases, offsets, steps, weights, init, pitch, to)
            pairs_64(bases + 48, offsets, steps, weights, init + 6 * pitch, pitch, to + half)
        elif WIDE and width == 32:
            pairs_32(bases, offsets, steps, weights, init, pitch, to)
        else:
            pairs_16(bases, offsets, steps, weights, init, pitch, to)
    elif WIDE and width == 64:
        words_64(bases, offsets, steps, weights, init, pitch, to)
        words_64(bases + 48, offsets, steps, weights, init + 6 * pitch, pitch, to + half)
    elif WIDE and width == 32:
        words_32(bases, offsets, steps, weights, init, pitch, to)
    else:
        words_16(bases, offsets, steps, weights, init, pitch, to)


@njit
def _finish(d, y, constants, work, sums, width, column, parameter, outputs, pixels):  # type: ignore[no-untyped-def]
    """Write 16 channels of a band's sums, from ``column`` on; ``outputs`` of them exist."""
    pitch = d[O]
    if d[MODE] < 0:
        for p in range(pixels):
            source = int32_at(sums + p * width * _SUM, _BLOCK)
            to = int32_at(y + (p * pitch + column) * _SUM, _BLOCK)
            for c in range(outputs):
                to[c] = source[c]
        return
    table = constants + d[TABLE]
    if outputs == _BLOCK:
        requantize_16(
            sums, width * _SUM, y + column, pitch, table, parameter, d[PITCH], pixels, d[MODE]
        )
        return
    # A whole vector would overwrite the next pixel's channels, perhaps another thread's.
    tail = work + d[TAIL]
    requantize_16(sums, width * _SUM, tail, _BLOCK, table, parameter, d[PITCH], pixels, d[MODE])
    for p in range(pixels):
        source8 = int8_at(tail + p * _BLOCK, _BLOCK)
        to8 = int8_at(y + p * pitch + column, _BLOCK)
        for c in range(outputs):
            to8[c] = source8[c]


@njit
def _place(d, band):  # type: ignore[no-untyped-def]
    """Return first image, images, first output row and rows of a band."""
    if d[IMAGES] > 1 or d[ROWS] == d[OH]:
        image = band * d[IMAGES]
        return image, min(d[IMAGES], d[N] - image), 0, d[OH]
    per_image = -(-d[OH] // d[ROWS])
    image = band // per_image
    first = (band - image * per_image) * d[ROWS]
    return image, 1, first, min(d[ROWS], d[OH] - first)


@njit
def products(d, arena, constants, work, thread, threads):  # type: ignore[no-untyped-def]
    """Correlate codes of 8 bits with constant weights; add the bias; requantize, if asked."""
    byte = d[KIND] == BYTES_KIND
    step_bytes = 2 if d[KIND] == PAIRS_KIND else 4
    blocks = int64_at(constants + d[BLOCKS], 3 * d[BLOCK_COUNT])
    unit = 1 if d[MODE] >= 0 else _SUM
    sums = work + d[SUMS]
    shares = d[SHARES] if threads > 1 else 1
    for item in range(thread, d[BANDS] * shares, threads):
        band, share = item // shares, item % shares
        begin = share * d[BLOCK_COUNT] // shares
        end = (share + 1) * d[BLOCK_COUNT] // shares
        image, images, first, rows = _place(d, band)
        image_bytes = _copy_band(d, arena, work, image, images, first, rows, byte)
        pixels, rounds = _find_bases(d, work + d[BASES], work, images, rows, image_bytes, byte)
        bases = int64_at(work + d[BASES], rounds * ROUND)
        y = arena + d[Y] + (image * d[OH] + first) * d[OW] * d[O] * unit
        for g in range(d[GROUPS]):
            for block in range(begin, end):
                width, column = blocks[3 * block], blocks[3 * block + 1]
                weights = constants + d[WEIGHTS] + g * d[GROUP_WEIGHTS] + blocks[3 * block + 2]
                parameter = g * d[GROUP_COLUMNS] + column
                init = constants + d[INIT] + parameter * _SUM
                # A piece of the weights stays in the first cache while all pixels pass by.
                piece = max(1, _PIECE // (width * step_bytes))
                for start in range(0, d[STEPS], piece):
                    for r in range(rounds):
                        to = sums + r * ROUND * width * _SUM
                        _multiply(
                            d[KIND], width, work + d[BASES] + r * ROUND * 8,
                            constants + d[OFFSETS] + start * 8, min(piece, d[STEPS] - start),
                            weights + start * width * step_bytes, to if start else init,
                            width * _SUM if start else 0, to,
                        )  # fmt: skip
                for lane in range(0, min(width, d[GROUP_OUTPUTS] - column), _BLOCK):
                    outputs = min(_BLOCK, d[GROUP_OUTPUTS] - column - lane)
                    _finish(
                        d, y, constants, work, sums + lane * _SUM, width,
                        g * d[GROUP_OUTPUTS] + column + lane, parameter + lane, outputs, pixels,
                    )  # fmt: skip
            for p in range(rounds * ROUND):
                bases[p] += d[GROUP_CODES]


@njit
def depthwise(d, arena, constants, work, thread, threads):  # type: ignore[no-untyped-def]
    """Correlate each channel with its own taps; add the bias; requantize, if asked."""
    unit = 1 if d[MODE] >= 0 else _SUM
    sums, offsets = work + d[SUMS], constants + d[OFFSETS]
    step = d[OUT_COLUMN] * d[C] * 2
    row = d[OUT_ROW] * d[COLUMNS] * d[C] * 2
    for band in range(thread, d[BANDS], threads):
        image, images, first, rows = _place(d, band)
        image_bytes = _copy_band(d, arena, work, image, images, first, rows, False)
        pixels = images * rows * d[OW]
        y = arena + d[Y] + (image * d[OH] + first) * d[OW] * d[O] * unit
        for column in range(0, d[C], _BLOCK):
            weights = constants + d[WEIGHTS] + column * d[STEPS] * 4
            init = constants + d[INIT] + column * _SUM
            to = sums
            for n in range(images):
                for r in range(rows):
                    base = work + n * image_bytes + r * row + column * 2
                    whole = d[OW] // 4
                    for _ in range(whole):
                        depth_4(base, step, offsets, d[STEPS], weights, init, to)
                        base += 4 * step
                        to += 4 * _BLOCK * _SUM
                    for _ in range(d[OW] - 4 * whole):
                        depth_1(base, step, offsets, d[STEPS], weights, init, to)
                        base += step
                        to += _BLOCK * _SUM
            outputs = min(_BLOCK, d[C] - column)
            _finish(d, y, constants, work, sums, _BLOCK, column, column, outputs, pixels)
