"""Max pooling of codes.

Real-number meaning and integer formula: the largest code under each window.

Corners: padding never wins (it is minus infinity, not the zero point). With ``ceil_mode`` a last
window may stick out, if it starts inside the input or its leading padding, as in torch. A window
without a tap in the input is refused. Codes, so zero point and scale stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import as_array, require_flag, require_ledger
from hw_models._pointwise import extremes, require_signed
from hw_models._pool_windows import planes, result_layout, tables, windows
from hw_models.compiled import kernel
from hw_models.tracing import step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models._pool_windows import Padding, PerDim
    from hw_models.formats import IntArray
    from hw_models.ledger import Ledger


def reference(line: Sequence[int], starts: Sequence[int], taps: int, dilation: int) -> list[int]:
    """Return the maxima of the windows of one line of codes: the definition.

    A plane is pooled along its rows and then along its columns: a maximum of maxima.
    """
    return [
        step(
            max(line[p] for p in (s + dilation * t for t in range(taps)) if 0 <= p < len(line)),
            "largest",
        )
        for s in starts
    ]


@kernel
def _max_pool(
    x: Any,
    y: Any,
    rows: Any,
    row_taps: Any,
    row_step: Any,
    columns: Any,
    column_taps: Any,
    column_step: Any,
) -> None:
    for o in range(x.shape[0]):
        for r in range(rows.size):
            for c in range(columns.size):
                seen = False
                for i in range(row_taps):
                    h = rows[r] + i * row_step
                    if h < 0 or h >= x.shape[1]:
                        continue
                    for j in range(column_taps):
                        w = columns[c] + j * column_step
                        if w < 0 or w >= x.shape[2]:
                            continue
                        if seen:
                            for k in range(x.shape[3]):
                                y[o, r, c, k] = max(y[o, r, c, k], x[o, h, w, k])
                        else:
                            # A slice assigned to a slice takes five times as long to compile.
                            for k in range(x.shape[3]):
                                y[o, r, c, k] = x[o, h, w, k]
                            seen = True


def max_pool(
    x: IntArray,
    kernel: PerDim,
    stride: PerDim | None = None,
    padding: Padding = 0,
    dilation: PerDim = 1,
    *,
    ceil_mode: bool = False,
    ledger: Ledger | None = None,
) -> IntArray:
    """Take the largest code under each window.

    Args:
        x: codes of shape N, C and one or two spatial dimensions, any strides.
        kernel: taps; an int or one per spatial dimension.
        stride: distance between windows; the kernel by default.
        padding: an int, one per dimension, or (before, after) pairs.
        dilation: distance between taps.
        ceil_mode: keep a last window that sticks out.
        ledger: filled with the extremes of the result; nothing overflows.

    Returns:
        Codes of x's dtype and memory order, of shape N, C, *output.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_flag(ceil_mode, "ceil_mode")
    require_ledger(ledger)
    given = as_array(x, "x")
    codes = require_signed(given, "x")
    spatial = windows(codes, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    plane, channels_last = planes(codes)
    byte = plane.dtype.itemsize == 1
    inner = plane if byte else plane.astype(np.int64, copy=False)
    tabled = tables(spatial)
    y = np.empty((len(inner), tabled[0].size, tabled[3].size, inner.shape[3]), inner.dtype)
    _max_pool(inner, y, *tabled)
    shape = (*codes.shape[:2], *(len(axis.starts) for axis in spatial))
    if ledger is not None:
        ledger.fill(y.size, extremes(y), "max_pool", "comparisons are exact")
    layout = result_layout(codes, shape, channels_last=channels_last)
    return layout.restore(y.astype(given.dtype, copy=False))
