"""Float values to codes, viewed as [outer, parameters, inner].

What a ledger takes is written out in each loop: as a function of its own it keeps LLVM from making
vectors, and a call takes eight times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hw_models.compiled import kernel
from hw_models.compiled.fused import fused_multiply_add
from hw_models.quantization.formulas import LIMIT


@kernel
def narrow(
    x: Any,
    y: Any,
    flags: Any,
    stats: Any,
    factors: Any,
    zeros: Any,
    ends: Any,
    divide: Any,
    away: Any,
    early: Any,
    fused: Any,
) -> None:
    """All in float32; factors are scales to divide by, or their reciprocals."""
    limit, low, high = np.float32(LIMIT), ends[0], ends[1]
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            factor, zero = factors[c], zeros[c]
            for i in range(x.shape[2]):
                if divide:
                    r = min(max(x[o, c, i] / factor, -limit), limit)
                    whole = np.rint(r)
                    if away and abs(r - whole) == np.float32(0.5):
                        whole = np.trunc(r) + np.copysign(np.float32(1), r)
                    v = np.int64(whole) + zero
                elif fused:
                    r = np.rint(fused_multiply_add(x[o, c, i], factor, np.float32(zero)))
                    v = np.int64(min(max(r, -limit), limit))
                elif early:
                    r = np.rint(x[o, c, i] * factor + np.float32(zero))
                    v = np.int64(min(max(r, -limit), limit))
                else:
                    r = np.rint(x[o, c, i] * factor) + np.float32(zero)
                    v = np.int64(min(max(r, -limit), limit))
                code = min(max(v, low), high)
                y[o, c, i] = np.int32(code)
                if flags.size:
                    stats[0] = min(stats[0], v)
                    stats[1] = max(stats[1], v)
                    stats[2] += code != v
                    flags[o, c, i] = code != v


@kernel
def wide(x: Any, y: Any, flags: Any, stats: Any, inverses: Any, zeros: Any, ends: Any) -> None:
    """Product and sum in float64."""
    limit = np.float64(LIMIT)
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            inverse, zero = inverses[c], np.float64(zeros[c])
            for i in range(x.shape[2]):
                r = np.rint(np.float64(x[o, c, i]) * inverse + zero)
                v = np.int64(min(max(r, -limit), limit))
                code = min(max(v, ends[0]), ends[1])
                y[o, c, i] = np.int32(code)
                if flags.size:
                    stats[0] = min(stats[0], v)
                    stats[1] = max(stats[1], v)
                    stats[2] += code != v
                    flags[o, c, i] = code != v


@kernel(error_model="numpy")
def propagating(x: Any, y: Any, flags: Any, stats: Any, scales: Any, zeros: Any, ends: Any) -> None:
    """Divide by any scale; what is no number is the lowest code."""
    limit = np.float32(LIMIT)
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            scale, zero = scales[c], zeros[c]
            for i in range(x.shape[2]):
                r = x[o, c, i] / scale
                v = ends[0]
                if not np.isnan(r):
                    v = np.int64(np.rint(min(max(r, -limit), limit))) + zero
                code = min(max(v, ends[0]), ends[1])
                y[o, c, i] = np.int32(code)
                if flags.size:
                    stats[0] = min(stats[0], v)
                    stats[1] = max(stats[1], v)
                    stats[2] += code != v
                    flags[o, c, i] = code != v
