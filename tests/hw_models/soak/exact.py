"""Rounding, registers and random draws again, in Python integers: nothing here is the models'."""

from __future__ import annotations


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


def c_divide(a: int, b: int) -> int:
    """C's integer division."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


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
