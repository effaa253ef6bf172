"""Max pooling of codes.

Real-number meaning and integer formula: the largest code under each window, of a kernel or
adaptive (``hw_models.pools.windows``).

Corners: padding never wins (it is minus infinity, not the zero point). With ``ceil_mode`` a last
window may stick out, if it starts inside the input or its leading padding, as in torch. A window
without a tap in the input is refused. Codes, so zero point and scale stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import as_array, require_flag, require_ledger
from hw_models._pointwise import extremes, require_signed
from hw_models.compiled import kernel
from hw_models.pools.windows import (
    adaptive_windows,
    planes,
    result_layout,
    tables,
    windows,
)
from hw_models.tracing import step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import IntArray
    from hw_models.ledger import Ledger
    from hw_models.pools.windows import Padding, PerDim, Windows


def reference(line: Sequence[int], starts: Sequence[int], taps: int, dilation: int) -> list[int]:
    """Return the maxima of the windows of one line of codes: the definition.

    A plane is pooled along its rows and then along its columns, a volume along its depth before:
    a maximum of maxima. Adaptive windows are lines' windows one by one, each with its own taps.
    """
    return [
        step(
            max(line[p] for p in (s + dilation * t for t in range(taps)) if 0 <= p < len(line)),
            "largest",
        )
        for s in starts
    ]


@kernel
def _max_pool(x: Any, y: Any, depth: Any, rows: Any, columns: Any) -> None:
    for o in range(y.shape[0]):
        for p in range(y.shape[1]):
            for r in range(y.shape[2]):
                for c in range(y.shape[3]):
                    _largest(x[o], y[o, p, r, c], depth, rows, columns, p, r, c)


@kernel
def _largest(x: Any, y: Any, depth: Any, rows: Any, columns: Any, p: Any, r: Any, c: Any) -> None:
    """Write the largest codes of window (p, r, c) of x [D, H, W, K] into y [K]."""
    seen = False
    for i in range(depth[1][p]):
        d = depth[0][p] + i * depth[2]
        if d < 0 or d >= x.shape[0]:
            continue
        for j in range(rows[1][r]):
            h = rows[0][r] + j * rows[2]
            if h < 0 or h >= x.shape[1]:
                continue
            for k in range(columns[1][c]):
                w = columns[0][c] + k * columns[2]
                if w < 0 or w >= x.shape[2]:
                    continue
                if seen:
                    for n in range(x.shape[3]):
                        y[n] = max(y[n], x[d, h, w, n])
                else:
                    # A slice assigned to a slice takes five times as long to compile.
                    for n in range(x.shape[3]):
                        y[n] = x[d, h, w, n]
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
        x: codes of shape N, C and one to three spatial dimensions, any strides.
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
    codes = as_array(x, "x")
    signed = require_signed(codes, "x")
    spatial = windows(signed, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    return _pooled(signed, spatial, ledger).astype(codes.dtype, copy=False)


def adaptive_max_pool(
    x: IntArray, output_size: PerDim, *, ledger: Ledger | None = None
) -> IntArray:
    """Take the largest code under each of the windows that share the input out.

    Args:
        x: codes, as for ``max_pool``.
        output_size: windows; an int or one per spatial dimension, more than elements too.
        ledger: as for ``max_pool``.

    Returns:
        Codes of x's dtype and memory order, of shape N, C, *output_size.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    codes = as_array(x, "x")
    signed = require_signed(codes, "x")
    spatial = adaptive_windows(signed, output_size)
    return _pooled(signed, spatial, ledger).astype(codes.dtype, copy=False)


def global_max_pool(x: IntArray, *, ledger: Ledger | None = None) -> IntArray:
    """Take the largest code of each channel: one window as large as the input."""
    return adaptive_max_pool(x, 1, ledger=ledger)


def _pooled(codes: IntArray, spatial: list[Windows], ledger: Ledger | None) -> IntArray:
    plane, channels_last = planes(codes)
    byte = plane.dtype.itemsize == 1
    inner = plane if byte else plane.astype(np.int64, copy=False)
    made = tuple(len(axis.starts) for axis in spatial)
    lines = (len(inner), *(1,) * (3 - len(made)), *made, inner.shape[4])
    y = np.empty(lines, inner.dtype)
    _max_pool(inner, y, *tables(spatial))
    if ledger is not None:
        ledger.fill(y.size, extremes(y), "max_pool", "comparisons are exact")
    layout = result_layout((*codes.shape[:2], *made), channels_last=channels_last)
    return layout.restore(y.astype(codes.dtype, copy=False))
