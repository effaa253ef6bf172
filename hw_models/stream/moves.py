"""What a command stream makes of codes without products: tables, sums of two, pooling."""

from __future__ import annotations

import numpy as np

from hw_models.addition.kernels import fma32
from hw_models.compiled import kernel, part
from hw_models.pools.avg_pool import FIRST, LAST, _divide
from hw_models.requantization.exact import fixed_one
from hw_models.stream.fields import (
    BORDER,
    CODE_BYTES,
    COLUMN_DILATION,
    COLUMN_STARTS,
    COLUMN_TAPS,
    COUNTS,
    HIGH,
    INCLUDE_PAD,
    LOW,
    OFFSET,
    OH,
    OW,
    ROUNDING,
    ROW_DILATION,
    ROW_STARTS,
    ROW_TAPS,
    SIGNED,
    SIZE,
    SUM_HEADER,
    SUM_ROW,
    TABLE,
    X2,
    X_ITEM,
    Y_ITEM,
    C,
    H,
    N,
    W,
    X,
    Y,
)
from hw_models.stream.lanes import LANES, largest, line_int8, line_uint8
from hw_models.stream.memory import (
    float32_at,
    int8_at,
    int16_at,
    int32_at,
    int64_at,
    share,
    uint8_at,
    uint16_at,
)


@kernel(nogil=True)
def unary(d, arena, constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Replace every byte by its entry of a table."""
    first, last = share(d[SIZE], thread, threads)
    x, y = uint8_at(arena + d[X], d[SIZE]), uint8_at(arena + d[Y], d[SIZE])
    table = uint8_at(constants + d[TABLE], 256)
    for i in range(first, last):
        y[i] = table[x[i]]


@kernel(nogil=True)
def wide(d, arena, constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Replace every code by its entry of a table; codes or entries, or both, have two bytes."""
    size = d[SIZE]
    first, last = share(size, thread, threads)
    x, y, table = arena + d[X], arena + d[Y], constants + d[TABLE]
    if d[X_ITEM] == 1:
        words, x8, t16 = uint16_at(y, size), uint8_at(x, size), uint16_at(table, 256)
        for i in range(first, last):
            words[i] = t16[x8[i]]
    elif d[Y_ITEM] == 1:
        codes, x16, t8 = uint8_at(y, size), uint16_at(x, size), uint8_at(table, 1 << 16)
        for i in range(first, last):
            codes[i] = t8[x16[i]]
    else:
        words, x16, t16 = uint16_at(y, size), uint16_at(x, size), uint16_at(table, 1 << 16)
        for i in range(first, last):
            words[i] = t16[x16[i]]


@kernel(nogil=True)
def binary(d, arena, constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Replace every pair of bytes by its entry of a table."""
    first, last = share(d[SIZE], thread, threads)
    a, b = uint8_at(arena + d[X], d[SIZE]), uint8_at(arena + d[X2], d[SIZE])
    y = uint8_at(arena + d[Y], d[SIZE])
    table = uint8_at(constants + d[TABLE], 1 << 16)
    for i in range(first, last):
        y[i] = table[np.int64(a[i]) << 8 | np.int64(b[i])]


@part
def sum_line(a, b, y, size, table, low, high, signed):  # type: ignore[no-untyped-def]
    """Write clamp(round_half_even(a * f0 + (b * f1 + f2))), in float32 with fused products.

    Args:
        a: address of bytes.
        b: address of bytes.
        y: address of the result, which may be that of a or b.
        size: bytes.
        table: address of the float32 factors.
        low: int32, the smallest code.
        high: int32, the largest code.
        signed: whether the bytes are int8.
    """
    whole = size // LANES
    if signed:
        line_int8(a, b, y, whole, table, low, high)
    else:
        line_uint8(a, b, y, whole, table, low, high)
    factors = float32_at(table, 3)
    magic = np.float32(12582912.0)  # 1.5 * 2**23: float32 has only integers there
    for i in range(whole * LANES, size):
        if signed:
            p, q = np.float32(int8_at(a, size)[i]), np.float32(int8_at(b, size)[i])
        else:
            p, q = np.float32(uint8_at(a, size)[i]), np.float32(uint8_at(b, size)[i])
        v = fma32(p, factors[0], fma32(q, factors[1], factors[2]))
        code = np.int32((v + magic) - magic)
        int8_at(y, size)[i] = min(max(code, low), high)


@kernel(nogil=True)
def line(d, arena, constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Add two tensors of codes by a line that was tried for every pair of them."""
    first, last = share(d[SIZE], thread, threads)
    low, high = np.int32(d[LOW]), np.int32(d[HIGH])
    x, x2, y = arena + d[X] + first, arena + d[X2] + first, arena + d[Y] + first
    sum_line(x, x2, y, last - first, constants + d[TABLE], low, high, d[SIGNED])


@kernel(nogil=True)
def sum_words(d, arena, constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Add two tensors of int16 as ``hw_models.addition.kernels.shifted`` does."""
    size = d[SIZE]
    first, last = share(size, thread, threads)
    a, b, y = int16_at(arena + d[X], size), int16_at(arena + d[X2], size), arena + d[Y]
    to = int16_at(y, size)
    table = int64_at(constants + d[TABLE], SUM_HEADER + 3 * SUM_ROW)
    zero_a, zero_b, left = table[0], table[1], table[2]
    zero, low, high = table[3], table[4], table[5]
    row_a = table[SUM_HEADER : SUM_HEADER + SUM_ROW]
    row_b = table[SUM_HEADER + SUM_ROW : SUM_HEADER + 2 * SUM_ROW]
    row_out = table[SUM_HEADER + 2 * SUM_ROW :]
    for i in range(first, last):
        p, q = (a[i] + zero_a) << left, (b[i] + zero_b) << left
        total = fixed_one(p, row_a) + fixed_one(q, row_b)
        to[i] = min(max(fixed_one(total, row_out) + zero, low), high)


@part
def _larger(most, x, size):  # type: ignore[no-untyped-def]
    for i in range(size):
        most[i] = max(most[i], x[i])


@kernel(nogil=True)
def max_pool(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Take the largest byte under each window, channels innermost."""
    channels = d[C]
    rows = int64_at(constants + d[ROW_STARTS], d[OH])
    columns = int64_at(constants + d[COLUMN_STARTS], d[OW])
    taps = int64_at(work, d[ROW_TAPS] * d[COLUMN_TAPS])
    flip = 0 if d[SIGNED] else -128
    first, last = share(d[N] * d[OH], thread, threads)
    for at in range(first, last):
        n, r = at // d[OH], at % d[OH]
        for c in range(d[OW]):
            count = 0
            for i in range(d[ROW_TAPS]):
                h = rows[r] + i * d[ROW_DILATION]
                if h < 0 or h >= d[H]:
                    continue
                for j in range(d[COLUMN_TAPS]):
                    w = columns[c] + j * d[COLUMN_DILATION]
                    if w < 0 or w >= d[W]:
                        continue
                    at_tap = ((n * d[H] + h) * d[W] + w) * channels
                    taps[count] = arena + d[X] + at_tap * d[CODE_BYTES]
                    count += 1
            y = arena + d[Y] + (at * d[OW] + c) * channels * d[CODE_BYTES]
            if d[CODE_BYTES] == 2:
                words = int16_at(y, channels)
                words[:] = -32768
                for i in range(count):
                    _larger(words, int16_at(taps[i], channels), channels)
                continue
            largest(work, count, channels // (2 * LANES), flip, y)
            for k in range(channels // (2 * LANES) * 2 * LANES, channels):
                most = -128
                for i in range(count):
                    most = max(most, int8_at(taps[i], channels)[k] ^ flip)
                int8_at(y, channels)[k] = most ^ flip


@part
def _total(sums, x, size):  # type: ignore[no-untyped-def]
    for i in range(size):
        sums[i] += x[i]


@kernel(nogil=True)
def avg_pool(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Average the bytes under each window, channels innermost; see hw_models.pools.avg_pool."""
    if d[ROUNDING] < FIRST or d[ROUNDING] > LAST:
        # As copy: before a thread without rows leaves.
        raise ValueError("no rounding of a division has this number")
    channels = d[C]
    rows = int64_at(constants + d[ROW_STARTS], d[OH])
    columns = int64_at(constants + d[COLUMN_STARTS], d[OW])
    counts = int64_at(constants + d[COUNTS], d[OH] * d[OW])
    sums = int32_at(work, channels)
    low, high, offset = d[LOW], d[HIGH], d[OFFSET]
    first, last = share(d[N] * d[OH], thread, threads)
    for at in range(first, last):
        n, r = at // d[OH], at % d[OH]
        for c in range(d[OW]):
            valid = 0
            sums[:] = 0
            for i in range(d[ROW_TAPS]):
                h = rows[r] + i * d[ROW_DILATION]
                if h < 0 or h >= d[H]:
                    continue
                for j in range(d[COLUMN_TAPS]):
                    w = columns[c] + j * d[COLUMN_DILATION]
                    if w < 0 or w >= d[W]:
                        continue
                    valid += 1
                    x = arena + d[X] + ((n * d[H] + h) * d[W] + w) * channels * d[CODE_BYTES]
                    if d[CODE_BYTES] == 2:
                        _total(sums, int16_at(x, channels), channels)
                    elif d[SIGNED]:
                        _total(sums, int8_at(x, channels), channels)
                    else:
                        _total(sums, uint8_at(x, channels), channels)
            count = counts[r * d[OW] + c] if d[INCLUDE_PAD] else valid
            extra = (count - valid) * d[BORDER] - count * offset
            y = arena + d[Y] + (at * d[OW] + c) * channels * d[CODE_BYTES]
            for k in range(channels):
                v = _divide(sums[k] + extra, count, d[ROUNDING]) + offset
                code = min(max(v, low), high)
                if d[CODE_BYTES] == 2:
                    int16_at(y, channels)[k] = code
                else:
                    int8_at(y, channels)[k] = code
