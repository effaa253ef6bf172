"""Independent oracles: every definition again, in Python integers and fractions.

Written from the contracts in the modules' docstrings and from the sources they cite; nothing here
calls a ``reference()`` or a kernel. Where a bound shows that int64 holds every intermediate value,
NumPy's int64 stands in for Python's integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

LIMIT = 1 << 62  # floats beyond this count as this
INF = float("inf")


# ---------------------------------------------------------------- rounding


def draw64(seed: int, index: int) -> int:
    """splitmix64: the index-th output of the generator that starts at seed."""
    mask = (1 << 64) - 1
    state = (seed + 0x9E3779B97F4A7C15 * (index + 1)) & mask
    state ^= state >> 30
    state = state * 0xBF58476D1CE4E5B9 & mask
    state ^= state >> 27
    state = state * 0x94D049BB133111EB & mask
    return state ^ state >> 31


def round_ratio(numerator: int, denominator: int, mode: str) -> int:
    """Round an exact quotient by comparing it with its two neighbours."""
    below = numerator // denominator
    if below * denominator == numerator:
        return below
    above, negative = below + 1, numerator < 0
    zero_side, far_side = (above, below) if negative else (below, above)
    directed = {"floor": below, "ceil": above, "toward_zero": zero_side, "away": far_side}
    if mode in directed:
        return directed[mode]
    twice = 2 * numerator - (2 * below + 1) * denominator  # sign: which neighbour is nearer
    if twice:
        return above if twice > 0 else below
    return {
        "half_up": above,
        "half_down": below,
        "half_away": far_side,
        "half_toward_zero": zero_side,
        "half_even": below if below % 2 == 0 else above,
        "half_odd": below if below % 2 else above,
    }[mode]


def shift_round(x: int, k: int, mode: str, draw: int = 0) -> int:
    """Divide by 2**k (multiply by 2**-k where k is not positive)."""
    if k <= 0:
        return x * 2**-k
    if mode == "jam":
        return x // 2**k | 1
    if mode == "stochastic":
        return (x + draw // 2 ** (64 - k)) // 2**k
    return round_ratio(x, 2**k, mode)


# ---------------------------------------------------------------- float32, exactly


def f32(value: Fraction | int) -> Fraction | float:
    """Round an exact number to float32, half to even; an infinity beyond the largest."""
    exact = Fraction(value)
    if exact == 0:
        return exact
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent  # now 2**exponent <= size < 2**(exponent + 1)
    step = Fraction(2) ** (max(exponent, -126) - 23)
    scaled = size / step
    code = round_ratio(scaled.numerator, scaled.denominator, "half_even")
    result = code * step
    if result >= Fraction(2) ** 128:
        return math.copysign(INF, exact)
    return result if exact > 0 else -result


def _times(a: Fraction | float, b: Fraction) -> Fraction | float:
    return f32(a * b) if isinstance(a, Fraction) else a  # b > 0


def _integer(a: Fraction | float) -> int:
    """Half even, held to +-2**62."""
    if isinstance(a, float):
        return LIMIT if a > 0 else -LIMIT
    rounded = round_ratio(a.numerator, a.denominator, "half_even")
    return min(max(rounded, -LIMIT), LIMIT)


# ---------------------------------------------------------------- requantize


def c_divide(a: int, b: int) -> int:
    """C's integer division."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def gemmlowp(x: int, m: int, right_shift: int, bits: int = 32) -> int:
    """fixedpoint.h: SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT."""
    n = bits - 1
    left, right = max(n - right_shift, 0), max(right_shift - n, 0)
    a = x * 2**left % 2**32
    a -= 2**32 if a >= 2**31 else 0
    if a == -(2**31) and m == -(2**n):
        high = 2**31 - 1
    else:
        ab = a * m
        nudge = 2 ** (n - 1) if ab >= 0 else 1 - 2 ** (n - 1)
        high = c_divide(ab + nudge, 2**n)
    mask = 2**right - 1
    remainder = high & mask
    threshold = (mask >> 1) + (1 if high < 0 else 0)
    return (high >> right) + (1 if remainder > threshold else 0)


def single(x: int, m: int, right_shift: int) -> int:
    return shift_round(x * m, right_shift, "half_up")


def float_scale(x: int, scale: float) -> int:
    """scale is a float32 value."""
    return _integer(_times(f32(x), Fraction(scale)))


def _plus(a: Fraction | float, b: Fraction | int) -> Fraction | float:
    return f32(a + b) if isinstance(a, Fraction) else a


def float_bias(
    x: int, kind: str, scales: tuple[float, float, float], bias: float, zero_point: int
) -> int:
    """The engines' steps with a float bias, before the clamp; scales of x, w and y, as float32."""
    s_x, s_w, s_y = (Fraction(s) for s in scales)
    b, acc, s = Fraction(bias), f32(x), f32(s_w * s_x)
    if kind == "fbgemm-channel":
        return _integer(_times(_plus(acc, f32(b / s)), f32(s / s_y))) + zero_point
    if kind == "fbgemm-tensor":
        return _integer(_times(f32(b * f32(1 / s) + acc), f32(s / s_y))) + zero_point
    t = _times(acc, s) if kind == "onednn-combined" else _times(_times(acc, s_x), s_w)
    t = _plus(t, b)
    t = _times(t, 1 / s_y) if kind == "onednn-reference" else _times(t, f32(1 / s_y))
    return _integer(_plus(t, zero_point))


# ---------------------------------------------------------------- float formulas


def reciprocal64(scale: float) -> Fraction:
    """The float64 reciprocal, by exact comparison with the neighbours of 1 / scale."""
    exact = 1 / Fraction(scale)
    near = exact.numerator / exact.denominator  # Python rounds a ratio of integers correctly
    return Fraction(near)


def quantize(x: float, scale: float, zero_point: int, formula: str) -> int:
    """Before saturation; x is a float32 value or an infinity."""
    if math.isinf(x):
        return (LIMIT if x > 0 else -LIMIT) + (zero_point if formula == "onnx" else 0)
    narrow = Fraction(float(np.float32(scale)))
    if formula == "onnx":
        return _integer(f32(Fraction(x) / narrow)) + zero_point
    inverse = f32(reciprocal64(scale) if formula == "torch" else 1 / narrow)
    scaled = f32(Fraction(x) * inverse)
    if isinstance(scaled, float):
        return LIMIT if scaled > 0 else -LIMIT
    whole = round_ratio(scaled.numerator, scaled.denominator, "half_even")
    return _integer(f32(whole + f32(zero_point)))


def dequantize(q: int, scale: float, zero_point: int, formula: str) -> float:
    narrow = Fraction(float(np.float32(scale)))
    difference = f32(f32(q) - f32(zero_point)) if formula == "torch" else f32(q - zero_point)
    return float(_times(difference, narrow))


# ---------------------------------------------------------------- accumulators


def store(value: int, bits: int, overflow: str) -> int:
    """What a register of ``bits`` holds of a value (``error`` holds it as it is)."""
    half = 2 ** (bits - 1)
    if overflow == "wrap":
        return (value + half) % (2 * half) - half
    if overflow == "error":
        return value
    lowest = -half + (1 if overflow == "saturate_symmetric" else 0)
    return max(lowest, min(half - 1, value))


def leaves(value: int, bits: int, overflow: str) -> bool:
    half = 2 ** (bits - 1)
    return value >= half or value < -half or (overflow == "saturate_symmetric" and value == -half)


@dataclass
class Sums:
    """Results of an accumulating primitive, and what its ledger must say."""

    values: Any
    flags: Any
    minimum: int
    maximum: int
    offender: tuple[tuple[int, ...], int] | None  # first element that left, and its value

    @property
    def first(self) -> tuple[int, ...] | None:
        return self.offender[0] if self.offender else None


class _Register:
    """A whole array of accumulators, taking terms one after another."""

    def __init__(self, shape: tuple[int, ...], kind: Any, bits: int, overflow: str) -> None:
        self.values = np.zeros(shape, kind)
        self.exact = np.zeros(shape, kind)
        self.flags = np.zeros(shape, bool)
        self.offenders = np.zeros(shape, object)
        self.bits, self.overflow, self.kind = bits, overflow, kind
        self.seen: list[int] = []

    def take(self, term: Any) -> None:
        self.values = self.values + term
        self.exact = self.exact + term

    def settle(self) -> None:
        if not self.values.size:
            return
        self.seen += [int(self.exact.min()), int(self.exact.max())]
        half = 2 ** (self.bits - 1)
        low = -half + (self.overflow == "saturate_symmetric")
        high = half - 1
        if low <= int(self.values.min()) and int(self.values.max()) <= high:
            return
        over = np.asarray((self.values < low) | (self.values > high), bool)
        fresh = over & ~self.flags
        self.offenders[fresh] = self.values[fresh]
        self.flags |= over
        if self.overflow == "wrap":
            self.values = (self.values + half) % (2 * half) - half
        else:
            self.values = np.minimum(np.maximum(self.values, low), high)

    def result(self) -> Sums:
        where = np.argwhere(self.flags)
        offender = None
        if len(where):
            first = tuple(int(i) for i in where[0])
            offender = (first, int(self.offenders[first]))
        ends = self.seen or [0]
        return Sums(self.values, self.flags, min(ends), max(ends), offender)


def _largest(a: Any, zero: int) -> int:
    return max((abs(int(end) - zero) for end in (a.min(), a.max())), default=0) if a.size else 0


def correlation(
    x: Any,
    weight: Any,
    stride: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int,
    x_zero: int,
    weight_zeros: list[int],
    pad_value: int | None,
    register: tuple[int, str, str, str],
) -> Sums:
    """Pad the array, then add the products tap by tap to all outputs at once."""
    bits, overflow, at, order = register
    outputs, channels = weight.shape[:2]
    kernel = weight.shape[2:]
    pad = x_zero if pad_value is None else pad_value
    reach = max(_largest(x, x_zero), abs(pad - x_zero))
    span = max((_largest(weight, z) for z in weight_zeros), default=0)
    small = reach * span * max(channels * math.prod(kernel), 1) < 2**61 and bits <= 61
    kind = np.int64 if small else object
    padded = np.full(
        (*x.shape[:2], *(n + b + a for n, (b, a) in zip(x.shape[2:], pads, strict=True))), pad, kind
    )
    inner = tuple(slice(b, b + n) for n, (b, _) in zip(x.shape[2:], pads, strict=True))
    padded[(slice(None), slice(None), *inner)] = x.astype(kind)
    padded = padded - x_zero
    zeros = np.array(weight_zeros, kind).reshape(-1, *(1,) * (weight.ndim - 1))
    weights = weight.astype(kind) - zeros
    size = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(padded.shape[2:], kernel, stride, dilation, strict=True)
    ]
    acc = _Register((x.shape[0], outputs, *size), kind, bits, overflow)
    group_of = np.arange(outputs) // max(outputs // groups, 1)
    spots = list(product(*(range(k) for k in kernel)))
    if order == "channel_last":
        taps = [(c, spot) for spot in spots for c in range(channels)]
    else:
        taps = [(c, spot) for c in range(channels) for spot in spots]
    for c, spot in taps:
        window = tuple(
            slice(j * d, j * d + (n - 1) * s + 1, s)
            for j, d, n, s in zip(spot, dilation, size, stride, strict=True)
        )
        seen = padded[(slice(None), group_of * channels + c, *window)]
        acc.take(seen * weights[(slice(None), c, *spot)].reshape(-1, *(1,) * len(size)))
        if at == "mac":
            acc.settle()
    if at == "sum" and taps:
        acc.settle()
    return acc.result()


def matmul(
    a: Any, b: Any, a_zero: int, b_zeros: list[int], register: tuple[int, str, str, str]
) -> Sums:
    """numpy.matmul's shapes; b_zeros one per column."""
    bits, overflow, at, _ = register
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    depth = left.shape[-1]
    reach = _largest(left, a_zero) * max((_largest(right, z) for z in b_zeros), default=0)
    kind = np.int64 if reach * max(depth, 1) < 2**61 and bits <= 61 else object
    p = left.astype(kind) - a_zero
    q = right.astype(kind) - np.array(b_zeros, kind)
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    acc = _Register((*batch, left.shape[-2], right.shape[-1]), kind, bits, overflow)
    for k in range(depth):
        acc.take(p[..., :, k, None] * q[..., None, k, :])
        if at == "mac":
            acc.settle()
    if at == "sum" and depth:
        acc.settle()
    sums = acc.result()
    drop = ([] if a.ndim > 1 else [-2]) + ([] if b.ndim > 1 else [-1])
    axes = tuple(i % sums.values.ndim for i in drop)
    sums.values, sums.flags = (np.squeeze(v, axes) for v in (sums.values, sums.flags))
    if sums.offender:
        index, value = sums.offender
        sums.offender = tuple(v for i, v in enumerate(index) if i not in axes), value
    return sums


# ---------------------------------------------------------------- adders, before the clamp


def shifted_add(a: int, b: int, left: int, rows: list[tuple[int, int, str, int]]) -> int | None:
    """rows: (multiplier, shift, rounding, bits) of a, b, out; None: outside the 32-bit register."""

    def scale(x: int, row: tuple[int, int, str, int]) -> int:
        m, s, rounding, bits = row
        return gemmlowp(x, m, s, bits) if rounding == "double" else single(x, m, s)

    lifted = (a * 2**left, b * 2**left)
    if any(leaves(v, 32, "wrap") for v in lifted):
        return None
    total = scale(lifted[0], rows[0]) + scale(lifted[1], rows[1])
    return None if leaves(total, 32, "wrap") else scale(total, rows[2])


def float_add(a: int, b: int, s: tuple[float, ...], z: tuple[int, ...], formula: str) -> int:
    """s: float32 scales and z: zero points, both of a, b and the result."""
    sa, sb, so = (Fraction(v) for v in s)
    za, zb, zo = z
    if formula == "mlas":
        ra, rb = f32(sa / so), f32(sb / so)
        fixed = f32(f32(zo) - f32(ra * f32(za) + f32(rb * f32(zb))))
        return _integer(f32(f32(a) * ra + f32(f32(b) * rb + fixed)))
    if formula == "torch_quantized":
        parts = [f32(f32(q) * v + f32(v * -f32(p))) for q, v, p in ((a, sa, za), (b, sb, zb))]
    else:
        parts = [f32(f32(q - p) * v) for q, v, p in ((a, sa, za), (b, sb, zb))]
    total = f32(parts[0] + parts[1])
    if formula == "onnx":
        return _integer(f32(total / so)) + zo
    scaled = f32(total * f32(1 / so))
    if formula == "torch_scalar":
        return _integer(f32(scaled + f32(zo)))
    return _integer(scaled) + zo


# ---------------------------------------------------------------- pooling


def pool_starts(
    size: int, taps: int, stride: int, pad: tuple[int, int], dilation: int, *, ceil_mode: bool
) -> list[int]:
    """First taps of the windows, one after another; none where not even one whole window fits."""
    starts, reach = [], dilation * (taps - 1) + 1
    start = -pad[0]
    while start + reach <= size + pad[1]:
        starts.append(start)
        start += stride
    partial = start - stride + reach < size + pad[1]  # something is left over
    if starts and ceil_mode and partial and start < size:
        starts.append(start)
    return starts


def pool_windows(
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    *,
    ceil_mode: bool,
) -> tuple[tuple[int, ...], list[tuple[list[tuple[int, ...]], int]]]:
    """Output shape, and per output its taps in the input and the count with padding."""
    axes = [
        [
            [start + d * t for t in range(k)]
            for start in pool_starts(n, k, s, p, d, ceil_mode=ceil_mode)
        ]
        for n, k, s, p, d in zip(shape, kernel, stride, pads, dilation, strict=True)
    ]
    out = []
    for spot in product(*axes):
        inside = [[t for t in axis if 0 <= t < n] for axis, n in zip(spot, shape, strict=True)]
        padded = [
            sum(-p[0] <= t < n + p[1] for t in axis)
            for axis, n, p in zip(spot, shape, pads, strict=True)
        ]
        out.append((list(product(*inside)), math.prod(padded)))
    return tuple(len(axis) for axis in axes), out
