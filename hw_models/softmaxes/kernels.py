"""Kernels of softmax: one row after the other, exponentials from a table of differences.

All take codes ``x[rows, depth]``, write values before the clamp to ``y`` (int64), and return the
index of the first row whose sum a 32-bit register cannot hold, or -1. ``terms[d]`` belongs to the
difference -d; ``sums`` receives the sum of each row where it is one of integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hw_models.compiled import kernel
from hw_models.softmaxes.gemmlowp import compiled_high_mul, compiled_one_over_one_plus


@kernel
def _bits(x: Any) -> Any:
    count = 0
    while x:
        x >>= 1
        count += 1
    return count


@kernel
def fixed(x: Any, y: Any, sums: Any, terms: Any, low: Any, bits: Any) -> Any:
    """``FixedSoftmax``: terms of 31 fraction bits, or -1; all others are not negative."""
    for r in range(x.shape[0]):
        top = x[r].max()
        total = 0
        for j in range(x.shape[1]):
            term = terms[top - x[r, j]]
            if term >= 0:
                total += (term + (1 << 11)) >> 12
        sums[r] = total
        used = _bits(total)
        if used > 31:
            return r
        scale = compiled_one_over_one_plus((total << (32 - used)) - (1 << 31))
        right = used - 20 + 31 - bits
        for j in range(x.shape[1]):
            term = terms[top - x[r, j]]
            y[r, j] = low
            if term >= 0:
                y[r, j] += (compiled_high_mul(scale, term) + (1 << (right - 1))) >> right
    return -1


@kernel
def floating(x: Any, y: Any, terms: Any, scale: Any, zero_point: Any) -> Any:
    """``FloatSoftmax``: float32 terms, added from the left."""
    for r in range(x.shape[0]):
        top = x[r].max()
        total = np.float32(0)
        for j in range(x.shape[1]):
            total += terms[top - x[r, j]]
        inverse = np.float32(1) / (total * scale)
        for j in range(x.shape[1]):
            ratio = np.float64(terms[top - x[r, j]] * inverse)
            y[r, j] = np.int64(np.floor(ratio + 0.5)) + zero_point
    return -1


@kernel
def interpolated(x: Any, y: Any, sums: Any, terms: Any, inverses: Any) -> Any:
    """``TableSoftmax``: terms of 15 fraction bits, and the table of 1 / (1 + x)."""
    for r in range(x.shape[0]):
        top = x[r].max()
        total = 0
        for j in range(x.shape[1]):
            total += terms[top - x[r, j]]
        sums[r] = total
        used = _bits(total)
        if used > 31:
            return r
        shifted = ((total << (31 - used)) + (1 << 13)) >> 14
        point = min(shifted - (1 << 16), 65535)
        base = inverses[point >> 7]
        slope = inverses[(point >> 7) + 1] - base
        inverse = base + ((slope * (point & 127) + 64) >> 7)
        right = used - 1
        for j in range(x.shape[1]):
            y[r, j] = (terms[top - x[r, j]] * inverse + (1 << (right - 1))) >> right
    return -1
