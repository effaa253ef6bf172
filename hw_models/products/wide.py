"""Exact signed 128-bit arithmetic in two 64-bit limbs, for the sums that int64 cannot hold.

A value is ``hi * 2**64 + lo`` with ``hi`` an int64 and ``lo`` a uint64: two's complement of 128
bits. Products of operands below ``2**34`` in magnitude and any sum of them that fits a computer's
memory stay far inside (``2**68`` times ``2**40`` terms is ``2**108``).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hw_models.compiled import kernel

_LOW32: Final = np.uint64(0xFFFFFFFF)
_S32: Final = np.uint64(32)


def to_int(hi: int, lo: int) -> int:
    """Return the Python integer of two limbs."""
    return (int(hi) << 64) + int(lo)


@kernel(inline="always")
def wide_mul(a, b):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return (hi, lo) of the exact product of two int64."""
    a_low = np.uint64(a) & _LOW32
    b_low = np.uint64(b) & _LOW32
    a_high = np.int64(a) >> np.int64(32)
    b_high = np.int64(b) >> np.int64(32)
    low = a_low * b_low
    # Each partial product below fits int64: a signed 32-bit limb times an unsigned one.
    middle = a_high * np.int64(b_low) + np.int64(low >> _S32)
    other = np.int64(a_low) * b_high + np.int64(np.uint64(middle) & _LOW32)
    hi = a_high * b_high + (middle >> np.int64(32)) + (other >> np.int64(32))
    lo = (np.uint64(other) << _S32) | (low & _LOW32)
    return hi, lo


@kernel(inline="always")
def wide_add(a_hi, a_lo, b_hi, b_lo):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return (hi, lo) of the sum, modulo 2**128."""
    lo = a_lo + b_lo
    hi = a_hi + b_hi
    if lo < a_lo:
        hi += np.int64(1)
    return hi, lo


@kernel(inline="always")
def wide_less(a_hi, a_lo, b_hi, b_lo):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return whether a < b as signed 128-bit values."""
    return a_hi < b_hi or (a_hi == b_hi and a_lo < b_lo)


@kernel(inline="always")
def wide_from(a):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return (hi, lo) of an int64."""
    return np.int64(a) >> np.int64(63), np.uint64(a)
