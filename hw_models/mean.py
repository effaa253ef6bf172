"""Mean of codes over any dimensions.

Real-number meaning: ``y = (sum of x) / count``, with scales and zero points of their own.

Integer formula: ``clamp(scheme(sum of (x - x_zero_point)) + zero_point)``, the exact sum. Schemes:

* ``Division(rounding)``: ``sum / count`` rounded once, as ``hw_models.pools.avg_pool`` defines it:
  for operand and result of one scale.
* any requantizer of ``hw_models.schemes``: its scale is ``s_x / (count * s_y)``. ``over_count``
  puts the count into a multiplier as TFLite does, in integers: with ``e`` the largest power of two
  in the count, held to 32 and to what the shift has left (``bits + 30 - right_shift``),
  ``multiplier = (multiplier << e) / count``, which truncates, and ``right_shift + e``.

| scheme                                       | who                                              |
|----------------------------------------------|--------------------------------------------------|
| ``over_count(FixedPoint.from_scale(..), n)`` | LiteRT and TFLite-Micro MEAN, int8 and int16     |
|                                              | (lite/kernels/internal/reference/reduce.h,       |
|                                              | QuantizedMeanOrSum)                              |
| ``double-half-up`` of ``s_x / (n * s_y)`` in | LiteRT's optimized int8 MEAN over height and     |
| float32, of the raw sum, with the zero point | width where both are kept, on x86: whole vectors |
| ``z_y - round(z_x * s_x / s_y)``             | of 16 channels; ``double`` on what is left       |
| ``Division("half_away")``                    | average pooling of TFLite and CMSIS-NN           |

Corners: the multiplier of ``over_count`` lies below the real one where the count is no power of
two, so that an exact tie goes toward zero; and ``double`` makes 1 of a mean of 1/3 (1/2 first).
``double`` refuses sums outside int32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_flag, require_ledger, show
from hw_models._broadcast import codes_of
from hw_models._pointwise import INT64_MAX, INT64_MIN, output_range, require_int, require_output
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray, clamped, if_else, is_int
from hw_models.pools.avg_pool import _divide, divide, division_code
from hw_models.requantize import requantize
from hw_models.rounding import require_division
from hw_models.schemes import FixedPoint, Requantizer
from hw_models.tracing import step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import Select
    from hw_models.ledger import Ledger
    from hw_models.rounding import DivisionRounding

MAX_COUNT: Final = 1 << 29  # sums of codes of up to 33 bits, offsets included, then fit 64 bits


@dataclass(frozen=True, slots=True)
class Division:
    """A division of the sum by the count, rounded once.

    Attributes:
        rounding: a name of ``ROUNDINGS`` but ``jam`` and ``stochastic``.
    """

    rounding: DivisionRounding = "half_away"

    def __post_init__(self) -> None:
        require_division(self.rounding, "Division.rounding")


Averager: TypeAlias = Division | Requantizer


def over_count(rescale: FixedPoint, count: int) -> FixedPoint:
    """Return the rescale of a sum of ``count`` codes, as TFLite derives it from that of a code."""
    if not isinstance(rescale, FixedPoint) or rescale.channels:
        raise ContractError(
            f"rescale must be a FixedPoint per tensor, not {show(rescale)} (accepted: scalars)"
        )
    count = require_int(count, "count", 1, 1 << 31)
    multiplier, shift = int(rescale.multipliers[0]), int(rescale.shifts[0])
    lift = max(min(count.bit_length() - 1, 32, rescale.bits + 30 - shift), 0)
    folded = multiplier << lift
    folded = folded // count if folded >= 0 else -(-folded // count)
    return FixedPoint(folded, shift + lift, rescale.rounding, rescale.bits)


def reference(
    codes: Sequence[int],
    averager: Averager,
    x_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    clamp: tuple[int, int] | None = None,
    *,
    draw: int = 0,
    select: Select = if_else,
) -> int:
    """Return the mean of the codes: the definition; select as in requantize."""
    low, high = output_range(output or FixedFormat(8), clamp)
    total = step(sum(code - x_zero_point for code in codes), "sum")
    if isinstance(averager, Division):
        value = divide(total, len(codes), averager.rounding)
    else:
        value = averager.reference(total, draw=draw, select=select)
    code: int = clamped(step(value + zero_point, "zero_point"), low, high, select)
    return code


@kernel
def _divide_all(x: Any, y: Any, flags: Any, stats: Any, bounds: Any, count: Any, mode: Any) -> None:
    for i in range(x.size):
        v = _divide(x[i], count, mode) + bounds[2]
        code = min(max(v, bounds[0]), bounds[1])
        y[i] = code
        if flags.size:
            stats[0] = min(stats[0], v)
            stats[1] = max(stats[1], v)
            stats[2] += code != v
            flags[i] = code != v


def mean(
    x: IntArray,
    axes: int | Sequence[int],
    averager: Averager,
    x_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    clamp: tuple[int, int] | None = None,
    *,
    keepdims: bool = False,
    ledger: Ledger | None = None,
) -> IntArray:
    """Average codes over dimensions.

    Args:
        x: codes of up to 32 bits, any shape and strides.
        axes: the dimensions to average over, one or more, none twice; each of 1 element or more.
        averager: ``Division``, or a requantizer per tensor of the sum.
        x_zero_point: the code of real 0 in x.
        zero_point: the code of real 0 in the result.
        output: format of 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        keepdims: keep the dimensions, with length 1.
        ledger: filled with the extremes of the value before the clamp, with what the clamp changed,
            and with the registers of a requantizer.

    Returns:
        Codes in ``output.dtype``.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_flag(keepdims, "keepdims")
    codes = codes_of(x, "x")
    low, high = output_range(require_output(output), clamp)
    dims = _axes(axes, codes.shape)
    count = math.prod(codes.shape[axis] for axis in dims)
    x_zero = require_int(x_zero_point, "x_zero_point", -(1 << 32), 1 << 32)
    zero = require_int(zero_point, "zero_point", -(1 << 32), 1 << 32)
    # C order: that of stochastic draws, and of what is named first.
    sums = np.array(codes.sum(axis=dims, dtype=np.int64, keepdims=bool(keepdims)), order="C")
    sums -= x_zero * count
    if isinstance(averager, Division):
        return _divided(sums, count, averager, (low, high, zero), output, ledger)
    if getattr(averager, "channels", 0):
        raise ContractError(
            f"averager must be per tensor, not one of {averager.channels} channels "
            "(accepted: scalars)"
        )
    result = requantize(sums, averager, zero, output, clamp, 0, ledger=ledger)
    if ledger is not None:
        ledger.kernel = f"mean-{ledger.kernel}"
    return result


def _axes(axes: int | Sequence[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the dimensions to average over, not negative."""
    items: list[Any] = list(axes) if isinstance(axes, (list, tuple)) else [axes]
    rank = len(shape)
    if not items or not all(is_int(axis) and -rank <= axis < rank for axis in items):
        raise ContractError(
            f"axes must name dimensions of the array, not {show(axes)} "
            f"(accepted: {-rank}..{rank - 1}, one or more)"
        )
    dims = tuple(int(axis) % rank for axis in items)
    count = math.prod(shape[axis] for axis in dims)
    if len(set(dims)) != len(dims):
        raise ContractError(
            f"axes must name each dimension once, not {show(axes)} (accepted: no repetition)"
        )
    if not 1 <= count <= MAX_COUNT:
        raise ContractError(
            f"axes must hold elements to average, not {count} of shape {shape} "
            f"(accepted: 1..{MAX_COUNT})"
        )
    return dims


def _divided(
    sums: npt.NDArray[np.int64],
    count: int,
    division: Division,
    bounds: tuple[int, int, int],
    output: FixedFormat,
    ledger: Ledger | None,
) -> IntArray:
    y = np.empty(sums.size, np.int64)
    flags = np.empty(sums.size if ledger is not None else 0, np.bool_)
    stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
    mode = division_code(division.rounding)
    _divide_all(sums.reshape(-1), y, flags, stats, np.array(bounds, np.int64), count, mode)
    if ledger is not None:
        first = np.unravel_index(int(np.argmax(flags)), sums.shape) if stats[2] else None
        ledger.fill(
            y.size,
            (int(stats[0]), int(stats[1])) if y.size else (0, 0),
            "mean-Division",
            "the sum of the codes fits 64 bits",
            clamped=int(stats[2]),
            first_clamped=None if first is None else tuple(int(i) for i in first),
        )
    return y.astype(output.dtype).reshape(sums.shape)
