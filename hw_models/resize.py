"""Resizing of planes of codes: nearest neighbour and bilinear.

Real-number meaning: each channel is a picture, sampled at other positions. Codes, so scale and zero
point stay as they are.

Integer formula: every output reads two rows and two columns with integer weights (``taps``),
``sum = sum of weight_y * weight_x * x``, and

* ``SizedResize`` (TFLite; size of the output given), nearest:
  ``floor((i + offset) * scale)`` in float32, at most the last index, with
  ``scale = old / new`` and ``offset = 0``, or 0.5 with ``half_pixel_centers``; with
  ``align_corners`` ``round_half_away(i * ((old - 1) / (new - 1)))``. Without a flag it is also
  torch's ``nearest``, with half_pixel_centers ``nearest-exact``.
  (tensorflow lite/kernels/internal/reference/resize_nearest_neighbor.h)
* ``SizedResize``, bilinear: positions have 10 fraction bits, ``i * scale10`` with
  ``scale10 = (1024 * old + new / 2) / new``, less 512 plus half a step with
  ``half_pixel_centers``; ``round_half_away(sum / 2**20)``. LiteRT's int8 and int16, reference and
  optimized; XNNPACK and uint8 have other weights.
  (lite/kernels/internal/reference/resize_bilinear.h, ResizeBilinearInteger)
* ``ScaledResize`` (TOSA RESIZE; scale n/d, offset and border given; n up to 2048, d below 16 n,
  sizes below 16384): position ``(i * d + offset) / n``; nearest takes the next pixel from a half
  on; bilinear keeps the whole sum, ``n_y * n_x`` times as large, for a RESCALE: 32 bits from codes
  of 8, else 48.
  (tosa-specification chapters/image.adoc)

Corners: positions outside the input read its border. In TFLite's bilinear the scale of 10 bits can
lead beyond the input when the output is far larger: C++ then reads past the end, and it is refused
here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import as_array, require_ledger, show
from hw_models._pointwise import extremes, require_signed
from hw_models._resize_taps import (
    MAX_PIXELS,
    MODES,
    Mode,
    Resize,
    ScaledResize,
    SizedResize,
    Tap,
    weights,
)
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray
from hw_models.ledger import fixed_register
from hw_models.pools.windows import planes, result_layout, spatial_dims
from hw_models.rounding import round_shift

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hw_models.ledger import Ledger

__all__ = [
    "MAX_PIXELS",
    "MODES",
    "Mode",
    "Resize",
    "ScaledResize",
    "SizedResize",
    "Tap",
    "reach",
    "reference",
    "resize",
    "result_format",
    "tables",
]

_LIMIT = 1 << 32
_SUMS = {True: FixedFormat(32), False: FixedFormat(48)}  # of codes of 8 bits, of wider ones


def reference(plane: Sequence[Sequence[int]], scheme: Resize) -> list[list[int]]:
    """Resize one plane: the definition."""
    rows, columns = scheme.taps((len(plane), len(plane[0])))
    return [[_value(plane, row, column, scheme.shift) for column in columns] for row in rows]


def _value(plane: Sequence[Sequence[int]], row: Tap, column: Tap, shift: int) -> int:
    total = 0
    for y, y_weight in ((row.low, row.low_weight), (row.high, row.high_weight)):
        for x, x_weight in ((column.low, column.low_weight), (column.high, column.high_weight)):
            total += y_weight * x_weight * plane[y][x]
    return int(round_shift(total, shift, "half_away"))


@kernel
def _weighted(x: Any, y: Any, rows: Any, columns: Any, shift: Any) -> None:
    """Resize x[outer, H, W, inner]; rows and columns hold (low, high, weights) per output."""
    half = (1 << shift) >> 1
    for o in range(x.shape[0]):
        for r in range(rows.shape[0]):
            above, below, a, b = rows[r]
            for c in range(columns.shape[0]):
                left, right, e, f = columns[c]
                for k in range(x.shape[3]):
                    v = a * (e * x[o, above, left, k] + f * x[o, above, right, k])
                    v += b * (e * x[o, below, left, k] + f * x[o, below, right, k])
                    y[o, r, c, k] = (v + half - (1 if shift and v < 0 else 0)) >> shift


def result_format(codes: FixedFormat, scheme: Resize) -> FixedFormat:
    """Return the format of the result: the codes', or TOSA's accumulator of a bilinear."""
    if isinstance(scheme, ScaledResize) and weights(scheme.mode):
        return _SUMS[codes.bits <= 8]
    return codes


def resize(x: IntArray, scheme: Resize, ledger: Ledger | None = None) -> IntArray:
    """Resize the spatial dimensions of codes.

    Args:
        x: codes of up to 32 bits, of shape N, C and one or two spatial dimensions, any strides;
            bilinear ScaledResize: up to 16 bits.
        scheme: SizedResize or ScaledResize.
        ledger: filled with the extremes of the result, and with TOSA's accumulator.

    Returns:
        Codes of x's dtype and memory order, of shape N, C, *output; from a bilinear ScaledResize
        int32 where x is int8 or uint8, else int64.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    if not isinstance(scheme, Resize):
        raise ContractError(
            f"scheme must be a resize scheme, not {show(scheme)} "
            "(accepted: SizedResize, ScaledResize)"
        )
    given = as_array(x, "x")
    codes = require_signed(given, "x")
    spatial = codes.shape[2 : 2 + spatial_dims(codes, 2)]
    if 0 in spatial:
        raise ContractError(
            f"x must have pixels, not shape {codes.shape} (accepted: spatial sizes of 1 or more)"
        )
    taps = tables(scheme, spatial)
    form = _result_type(given, scheme)
    volume, channels_last = planes(codes)
    plane = volume[:, 0]
    limit = reach(scheme)
    least, most = extremes(plane)
    if not -limit <= least <= most <= limit:
        raise ContractError(
            f"x must be codes of up to {limit.bit_length() - 1} bits, not {least}..{most} "
            f"(accepted: +-{limit})"
        )
    if not weights(scheme.mode):
        rows, columns = taps[0][:, 0], taps[1][:, 0]
        y = plane[:, rows][:, :, columns]
    else:
        y = np.empty((len(plane), len(taps[0]), len(taps[1]), plane.shape[3]), np.int64)
        _weighted(plane.astype(np.int64), y, taps[0], taps[1], scheme.shift)
    shape = (*codes.shape[:2], *(len(axis) for axis in taps[2 - len(spatial) :]))
    if ledger is not None:
        ends, reason = extremes(y), "a weighted sum of four codes fits 64 bits"
        # TOSA's result is its accumulator: what a RESIZE may weigh always fits.
        sums = () if form is None else (fixed_register("accumulator", _sum_format(given), ends),)
        ledger.fill(y.size, ends, f"resize-{scheme.mode}", reason, registers=sums)
    layout = result_layout(shape, channels_last=channels_last)
    return layout.restore(np.ascontiguousarray(y.astype(form or given.dtype, copy=False)))


def _sum_format(x: IntArray) -> FixedFormat:
    return _SUMS[x.dtype.itemsize == 1]


def _result_type(x: IntArray, scheme: Resize) -> npt.DTypeLike | None:
    """Return the container of TOSA's weighted sums, or None where x's own does."""
    if isinstance(scheme, ScaledResize) and weights(scheme.mode):
        return np.int32 if x.dtype.itemsize == 1 else np.int64
    return None


def reach(scheme: Resize) -> int:
    """Return the largest magnitude of codes that a scheme resizes."""
    return 1 << 16 if isinstance(scheme, ScaledResize) and weights(scheme.mode) else _LIMIT


def tables(scheme: Resize, spatial: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """Return the taps of rows and columns: index, index, weight, weight for each output."""
    taps = [_table(axis) for axis in scheme.taps(spatial)]
    if len(taps) == 1:
        unit = scheme.unit if isinstance(scheme, SizedResize) else 1
        taps.insert(0, np.array([[0, 0, unit, 0]], np.int64))
    return taps


def _table(axis: list[Tap]) -> npt.NDArray[np.int64]:
    return np.array([(t.low, t.high, t.low_weight, t.high_weight) for t in axis], np.int64)
