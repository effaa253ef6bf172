"""The correlation kernels that serve every case: 64 lanes at a time, or two limbs.

Both read a padded NHWC buffer of ``x - x_zero_point`` through two tables: ``bases`` holds where
each output pixel's window starts and ``offsets`` how far each tap lies from there, in the order
in which the accumulator takes them. The lanes are output channels, or, where a group has few of
them, pixels; each lane sees its products in the same order either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hw_models import _team
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.products.wide import wide_add, wide_from, wide_less, wide_mul

if TYPE_CHECKING:
    from hw_models.formats import IntArray

LANES: Final = 64
# What a kernel does with a partial sum. STATISTICS: either rule, counted.
SUM: Final = 0
SATURATE: Final = 1
STATISTICS: Final = 2
_MODES: Final = (SUM, SATURATE, STATISTICS)
# Below this many products, waking a second thread costs more than it saves.
_PARALLEL_PRODUCTS: Final = 1 << 20


@kernel
def _sum(vectors, scalars, acc):  # type: ignore[no-untyped-def]  # njit infers the types
    kind = acc.dtype.type
    for k in range(scalars.size):
        s = scalars[k]
        row = vectors[k]
        for lane in range(LANES):
            acc[lane] = kind(acc[lane] + kind(row[lane] * s))


@kernel
def _saturate(vectors, scalars, acc, low, high):  # type: ignore[no-untyped-def]  # as above
    kind = acc.dtype.type
    for k in range(scalars.size):
        s = scalars[k]
        row = vectors[k]
        for lane in range(LANES):
            acc[lane] = max(min(kind(acc[lane] + kind(row[lane] * s)), high), low)


@kernel
def _statistics(vectors, scalars, acc, state, low, high, drop):  # type: ignore[no-untyped-def]
    """Rows of state: exact partial sum, its minimum, its maximum, overflowed."""
    kind = acc.dtype.type
    total, smallest, largest, overflowed = state[0], state[1], state[2], state[3]
    wraps = drop >= 0
    shift = kind(max(drop, 0))
    for k in range(scalars.size):
        s = scalars[k]
        row = vectors[k]
        for lane in range(LANES):
            product = kind(row[lane] * s)
            exact = kind(total[lane] + product)
            total[lane] = exact
            smallest[lane] = min(smallest[lane], exact)
            largest[lane] = max(largest[lane], exact)
            value = kind(acc[lane] + product)
            kept = max(min(value, high), low)
            overflowed[lane] |= kind(kept != value)
            acc[lane] = kind(kind(value << shift) >> shift) if wraps else kept


@kernel
def _lanes_step(  # type: ignore[no-untyped-def]  # njit infers the types
    vectors, scalars, acc, state, mode, low, high, drop
):
    kind = acc.dtype.type
    acc[:] = kind(0)
    if mode == SUM:
        _sum(vectors, scalars, acc)
    elif mode == SATURATE:
        _saturate(vectors, scalars, acc, low, high)
    elif mode == STATISTICS:
        state[0] = kind(0)
        state[1] = np.iinfo(acc.dtype).max
        state[2] = np.iinfo(acc.dtype).min
        state[3] = kind(0)
        _statistics(vectors, scalars, acc, state, low, high, drop)


@kernel
def _keep(acc, state, count, mode, out, flags, extreme):  # type: ignore[no-untyped-def]
    """Write the first count lanes to their places, and what was recorded of them."""
    for lane in range(count):
        out[lane] = acc[lane]
    if mode == STATISTICS:
        for lane in range(count):
            flags[lane] = state[3, lane]
            extreme[0] = min(extreme[0], state[1, lane])
            extreme[1] = max(extreme[1], state[2, lane])


@kernel
def _lanes_chunk(  # type: ignore[no-untyped-def]  # njit infers the types
    x, bases, offsets, vectors, scalars, by_pixel, spans, mode, low, high, drop, out, flags,
    extremes, chunk,
):  # fmt: skip
    channels, group_outputs = spans
    taps = offsets.size
    first = chunk * LANES
    count = min(LANES, bases.size - first)
    acc = np.zeros(LANES, x.dtype)
    state = np.zeros((4, LANES), x.dtype)
    extreme = extremes[chunk]
    gathered = np.zeros((taps, LANES), x.dtype) if by_pixel else np.zeros((1, taps), x.dtype)
    for g in range(vectors.shape[0]):
        column = g * group_outputs
        if by_pixel:
            for k in range(taps):
                for p in range(count):
                    gathered[k, p] = x[bases[first + p] + offsets[k] + g * channels]
            for o in range(group_outputs):
                _lanes_step(gathered, scalars[g, o], acc, state, mode, low, high, drop)
                to = column + o
                rows = slice(first, first + count)
                _keep(acc, state, count, mode, out[rows, to], flags[rows, to], extreme)
            continue
        for p in range(first, first + count):
            row = gathered[0]
            for k in range(taps):
                row[k] = x[bases[p] + g * channels + offsets[k]]
            for block in range(vectors.shape[1]):
                _lanes_step(vectors[g, block], row, acc, state, mode, low, high, drop)
                used = min(LANES, group_outputs - block * LANES)
                columns = slice(column + block * LANES, column + block * LANES + used)
                _keep(acc, state, used, mode, out[p, columns], flags[p, columns], extreme)


@kernel(nogil=True)
def _lanes(  # type: ignore[no-untyped-def]  # njit infers the types
    start, stop, x, bases, offsets, vectors, scalars, by_pixel, spans, mode, low, high, drop, out,
    flags, extremes,
):  # fmt: skip
    for chunk in range(start, stop):
        _lanes_chunk(
            x, bases, offsets, vectors, scalars, by_pixel, spans, mode, low, high, drop, out,
            flags, extremes, chunk,
        )  # fmt: skip


def lanes(
    x: IntArray,
    bases: IntArray,
    offsets: IntArray,
    vectors: IntArray,
    scalars: IntArray,
    by_pixel: bool,
    spans: tuple[int, int],
    mode: int,
    low: int,
    high: int,
    drop: int,
    out: IntArray,
    flags: IntArray,
) -> tuple[int, int]:
    """Fill out [P, O] and, in STATISTICS, flags [P, O]; return the extreme partial sums.

    x is a flat buffer, int32 or int64: the arithmetic is modulo its width. vectors are weights
    [groups, blocks, K, LANES]; with by_pixel the lanes are pixels, and the weights are scalars
    [groups, O / groups, K] (of the other, only the number of groups is read). spans are the
    channels and the outputs of a group; low..high is the accumulator's range; drop the number of
    bits of x's type above the accumulator, to wrap, or negative, to saturate. flags may be (1, 1)
    where mode is not STATISTICS.
    """
    if mode not in _MODES:
        raise ContractError(
            f"what lanes do with a partial sum must be one of its numbers, not {mode} "
            "(accepted: SUM, SATURATE, STATISTICS)"
        )
    kind = x.dtype.type
    extremes = np.zeros((-(-bases.size // LANES), 2), x.dtype)
    extremes[:, 0], extremes[:, 1] = np.iinfo(x.dtype).max, np.iinfo(x.dtype).min

    def work(start: int, stop: int) -> None:
        _lanes(
            start, stop, x, bases, offsets, vectors, scalars, by_pixel, spans, mode, kind(low),
            kind(high), drop, out, flags, extremes,
        )  # fmt: skip

    large = out.size * offsets.size >= _PARALLEL_PRODUCTS
    _team.share(extremes.shape[0], _team.count() if large else 1, work)
    return int(extremes[:, 0].min()), int(extremes[:, 1].max())


@kernel
def wide(  # type: ignore[no-untyped-def]  # njit infers the types
    x, bases, offsets, scalars, spans, at_mac, wraps, drop, low, high, out, flags, limbs
):
    """Correlate in two limbs: any operands, any accumulator, every rule, always counted.

    Arguments are those of lanes, in int64, and: at_mac, whether the rule applies after every
    product or once; wraps, whether it wraps or saturates; drop, 64 less the accumulator's bits;
    limbs, uint64 [4], filled with (hi, lo) of the smallest and of the largest value.
    """
    channels, group_outputs = spans
    low_hi, low_lo = wide_from(low)
    high_hi, high_lo = wide_from(high)
    started = False
    min_hi, min_lo = wide_from(np.int64(0))
    max_hi, max_lo = wide_from(np.int64(0))
    for p in range(out.shape[0]):
        for o in range(out.shape[1]):
            g = o // group_outputs
            weights = scalars[g, o - g * group_outputs]
            base = bases[p] + g * channels
            sum_hi, sum_lo = wide_from(np.int64(0))
            acc = np.int64(0)
            flag = np.uint8(0)
            for k in range(offsets.size):
                hi, lo = wide_mul(x[base + offsets[k]], weights[k])
                sum_hi, sum_lo = wide_add(sum_hi, sum_lo, hi, lo)
                last = k == offsets.size - 1
                if at_mac or last:
                    if not started or wide_less(sum_hi, sum_lo, min_hi, min_lo):
                        min_hi, min_lo = sum_hi, sum_lo
                    if not started or wide_less(max_hi, max_lo, sum_hi, sum_lo):
                        max_hi, max_lo = sum_hi, sum_lo
                    started = True
                    hi_, lo_ = sum_hi, sum_lo
                    if at_mac:
                        acc_hi, acc_lo = wide_from(acc)
                        hi_, lo_ = wide_add(acc_hi, acc_lo, hi, lo)
                    below = wide_less(hi_, lo_, low_hi, low_lo)
                    above = wide_less(high_hi, high_lo, hi_, lo_)
                    acc = np.int64(lo_)
                    if below or above:
                        flag = np.uint8(1)
                        kept = low if below else high
                        acc = (acc << drop) >> drop if wraps else kept
            out[p, o] = acc
            flags[p, o] = flag
    limbs[0], limbs[1] = np.uint64(min_hi), min_lo
    limbs[2], limbs[3] = np.uint64(max_hi), max_lo
