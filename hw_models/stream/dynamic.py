"""What a command stream computes in float32 around products: parameters of run time included.

A value that the interpreter refuses (NaN, an infinity, a scale without reciprocal) is refused here
too: the command says so in its counter, and the loop stops.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import carray

from hw_models.compiled import kernel, part
from hw_models.compiled.fused import fused_multiply_add
from hw_models.dynamic.min_max import settle
from hw_models.qparams.kernels import choose as choose_rows
from hw_models.stream.elements import bytes_of
from hw_models.stream.entries import call_move
from hw_models.stream.fields import (
    FLOAT32,
    LEAST,
    LOAD,
    MODE,
    MOST,
    PARAMETERS,
    PARAMETERS_PLACE,
    PITCH,
    REFUSED,
    SCALES_FIXED,
    STORE,
    TABLE,
    WAY,
    X2,
    X3,
    X_KIND,
    Y_KIND,
    ZERO_KIND,
    ZEROS_FIXED,
    C,
    N,
    O,
    X,
    Y,
)
from hw_models.stream.floats import (
    ADDED,
    AWAY,
    EVEN,
    FUSED,
    ONCE,
    PLAIN,
    ROW_FIRST,
    added_8,
    added_16,
    away_8,
    away_16,
    even_8,
    even_16,
    extremes,
    fused_8,
    fused_16,
)
from hw_models.stream.memory import float32_at, int32_at, int64_at, p_float32, share

BLOCK: Final = 1024  # sums or codes that are widened at once


@part
def _refuse(parts):  # type: ignore[no-untyped-def]  # njit infers the types
    int64_at(parts, 1)[0] = REFUSED


@kernel(nogil=True)
def min_max(d, arena, _constants, _arguments, _work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Find the least and the greatest value of each row."""
    first, last = share(d[N], thread, threads)
    for row in range(first, last):
        to = arena + d[Y] + 8 * row
        extremes(arena + d[X] + 4 * row * d[C], d[C], to)
        found = int32_at(to, 2)
        settle(found[0], found[1], found)


@kernel(nogil=True)
def choose(d, arena, constants, _arguments, work, parts, thread, threads):  # type: ignore[no-untyped-def]
    """Choose the scales, or the zero points, of ranges."""
    table = int64_at(constants + d[TABLE], 5)
    first, last = share(d[N], thread, threads)
    size = last - first
    ranges = carray(p_float32(arena + d[X] + 8 * first), (size, 2))
    scales, zeros = float32_at(work + 8 * d[N], size), int64_at(work, size)
    for row in range(size):
        if not (np.isfinite(ranges[row, 0]) and np.isfinite(ranges[row, 1])):
            _refuse(parts)
            return
    bound = float32_at(constants + d[TABLE] + 32, 1)[0]
    choose_rows(ranges, scales, zeros, d[MODE], table, table[3] != 0, bound)
    for row in range(size):
        if not (np.isfinite(scales[row]) and scales[row] > 0):
            _refuse(parts)
            return
    if d[Y_KIND] == FLOAT32:
        made = float32_at(arena + d[Y] + 4 * first, size)
        for row in range(size):
            made[row] = scales[row]
        return
    kind = d[Y_KIND]
    call_move(d[STORE], arena + d[Y] + first * bytes_of(kind), work, size, np.int64(1), kind)


@part
def parameters(d, arena, constants, to):  # type: ignore[no-untyped-def]
    """Return the scales, float32, and the zero points, int64, copied to an address."""
    count, kind = d[PARAMETERS], d[ZERO_KIND]
    scales = constants if d[PARAMETERS_PLACE] & SCALES_FIXED else arena
    zeros = constants if d[PARAMETERS_PLACE] & ZEROS_FIXED else arena
    call_move(d[LOAD], to, zeros + d[X3], count, np.int64(1), kind)
    return float32_at(scales + d[X2], count), int64_at(to, count)


@part
def _quantize(way, narrow, x, y, count, factor, zero, low, high):  # type: ignore[no-untyped-def]
    """Quantize values that share their parameters; return whether one is NaN."""
    added, back = np.float32(zero), np.int32(0)
    if way in (EVEN, AWAY):
        low, high, added, back = low - zero, high - zero, np.float32(0), np.int32(zero)
    least, most = np.float32(low), np.float32(high)
    if narrow:
        if way == FUSED:
            return fused_8(x, y, count, factor, added, least, most, back)
        if way == ADDED:
            return added_8(x, y, count, factor, added, least, most, back)
        if way == EVEN:
            return even_8(x, y, count, factor, added, least, most, back)
        return away_8(x, y, count, factor, added, least, most, back)
    if way == FUSED:
        return fused_16(x, y, count, factor, added, least, most, back)
    if way == ADDED:
        return added_16(x, y, count, factor, added, least, most, back)
    if way == EVEN:
        return even_16(x, y, count, factor, added, least, most, back)
    return away_16(x, y, count, factor, added, least, most, back)


@kernel(nogil=True)
def quantize(d, arena, constants, _arguments, work, parts, thread, threads):  # type: ignore[no-untyped-def]
    """Quantize rows."""
    scales, zeros = parameters(d, arena, constants, work)
    way, item, size = d[MODE], bytes_of(d[Y_KIND]), d[C]
    first, last = share(d[N] * size, thread, threads)
    for row in range(first // size, -(-last // size)):
        begin, end = max(first, row * size), min(last, (row + 1) * size)
        number = row if d[PARAMETERS] > 1 else 0
        factor = scales[number]
        good = np.isfinite(factor) and factor > 0
        if good and way in (FUSED, ADDED):
            factor = np.float32(1) / factor
            good = np.isfinite(factor)
        if not good:
            _refuse(parts)
            return
        x, y = arena + d[X] + 4 * begin, arena + d[Y] + item * begin
        bounds = d[LEAST], d[MOST]
        if _quantize(way, item == 1, x, y, end - begin, factor, zeros[number], *bounds):
            _refuse(parts)
            return


@kernel(nogil=True)
def dequantize(d, arena, constants, _arguments, work, parts, thread, threads):  # type: ignore[no-untyped-def]
    """Dequantize rows of codes."""
    scales, zeros = parameters(d, arena, constants, work)
    at = work + 8 * d[PARAMETERS]
    item, size, kind = bytes_of(d[X_KIND]), d[C], d[X_KIND]
    first, last = share(d[N] * size, thread, threads)
    for begin in range(first, last, BLOCK):
        count = min(BLOCK, last - begin)
        call_move(d[LOAD], at, arena + d[X] + item * begin, count, np.int64(1), kind)
        codes, y = int64_at(at, count), float32_at(arena + d[Y] + 4 * begin, count)
        for row in range(begin // size, -(-(begin + count) // size)):
            number = row if d[PARAMETERS] > 1 else 0
            scale, zero = scales[number], zeros[number]
            if not (np.isfinite(scale) and scale > 0):
                _refuse(parts)
                return
            low, high = max(begin, row * size) - begin, min(begin + count, (row + 1) * size) - begin
            for i in range(low, high):
                if d[MODE]:
                    y[i] = np.float32(codes[i] - zero) * scale
                else:
                    y[i] = (np.float32(codes[i]) - np.float32(zero)) * scale


@kernel(nogil=True)
def dequantize_sums(d, arena, constants, _arguments, work, _parts, thread, threads):  # type: ignore[no-untyped-def]
    """Dequantize rows of sums that lie in the arena."""
    scales, points = parameters(d, arena, constants, work)
    at, outputs, pitch, kind = work + 8 * d[PARAMETERS], d[O], d[PITCH], d[X_KIND]
    table = constants + d[TABLE]
    sums, factors = int64_at(table, pitch), float32_at(table + 8 * pitch, pitch)
    bias, way = float32_at(table + 12 * pitch, pitch), d[WAY] - 1
    first, last = share(d[N], thread, threads)
    for row in range(first, last):
        number = row * d[PARAMETERS] // d[N]
        scale, point = scales[number], points[number]
        for begin in range(0, outputs, BLOCK):
            count, place = min(BLOCK, outputs - begin), row * outputs + begin
            x = arena + d[X] + place * bytes_of(kind)
            call_move(d[LOAD], at, x, count, np.int64(1), kind)
            acc, y = int64_at(at, count), float32_at(arena + d[Y] + 4 * place, count)
            for i in range(count):
                o = begin + i
                t, m = np.float32(acc[i] - point * sums[o]), scale * factors[o]
                if way >= ROW_FIRST:
                    shift = scale * np.float32(point) * np.float32(sums[o])
                    t, m = np.float32(acc[i]) * scale - shift, factors[o]
                if way in (PLAIN, ROW_FIRST):
                    y[i] = t * m
                elif way == ONCE:
                    y[i] = fused_multiply_add(t, m, bias[o])
                else:
                    y[i] = t * m + bias[o]
