"""Average pooling of codes.

Real-number meaning: the mean of the codes under each window.

Integer formula: ``clamp(round(sum / count))``, the exact sum of the codes, any rounding of
``hw_models.rounding`` (but ``jam`` and ``stochastic``) generalised to a division by an integer:

    q = floor(sum / count), r = sum - q * count, and q + 1 if the rule says so, where
    floor: never          ceil: r > 0            toward_zero: r > 0 and sum < 0
    away: r > 0 and sum > 0                      half_*: 2r > count, or 2r == count and the tie
                                                 goes up

By default the count is of the *valid* window and the rounding half away from zero: TFLite
(tensorflow lite/kernels/internal/reference/integer_ops/pooling.h) and CMSIS-NN. With
``count_include_pad`` every tap in the padded input counts and one in the padding contributes
``zero_point``.

A ``divisor`` of its own (torch's ``divisor_override``) takes the count's place. Real-number
meaning: the sum of the window divided by it, a tap in the padding being 0; so the code is

    clamp(round((sum + (divisor - valid) * zero_point) / divisor)): what ``valid`` codes lack of
    the divisor, or exceed it by, counts as so many zero points; rounded as every average is.

A divisor below the taps makes sums that leave the range of the codes: they are clamped to
``output``, which may be wider. Divisor 1 is the exact sum of the window plus one zero point.

Windows may be adaptive (``hw_models.pools.windows``): the count is each window's own.

Corners: the raw codes are averaged, so with a zero point "away from zero" means away from code 0,
as in TFLite; ``centered`` averages ``code - zero_point`` and adds it back. As in torch, taps of a
``ceil_mode`` window beyond the padding never count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models._arguments import as_array, require_flag, require_ledger
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    require_int,
    require_output,
    require_signed,
)
from hw_models.compiled import kernel
from hw_models.errors import ContractError, no_case
from hw_models.formats import FixedFormat, IntArray, clamped, if_else
from hw_models.pools.windows import (
    adaptive_windows,
    counts,
    planes,
    result_layout,
    tables,
    three,
    windows,
)
from hw_models.rounding import DIVISIONS, require_division, rounding_code
from hw_models.tracing import step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import Select
    from hw_models.ledger import Ledger
    from hw_models.pools.windows import Padding, PerDim, Windows
    from hw_models.rounding import DivisionRounding

# Numbers of the roundings that the kernel divides by: positions in hw_models.rounding.ROUNDINGS.
_FLOOR, _CEIL, _TOWARD_ZERO, _AWAY = 0, 1, 2, 3
_HALF_UP, _HALF_DOWN, _HALF_AWAY, _HALF_TOWARD_ZERO, _HALF_EVEN, _HALF_ODD = 4, 5, 6, 7, 8, 9
FIRST, LAST = _FLOOR, _HALF_ODD
# A divisor times a zero point fits 64 bits.
MAX_DIVISOR: Final = 1 << 30


def divide(total: int, count: int, rounding: DivisionRounding) -> int:
    """Return ``total / count`` rounded to an integer, count > 0: the definition."""
    floor, rest = divmod(total, count)
    up = _goes_up(total, 2 * rest - count, floor, rest > 0, rounding)
    mean: int = step(step(floor, "floor", "with ", rest, " left over") + int(up), "mean", rounding)
    return mean


def _goes_up(
    total: int, beyond: int, floor: int, inexact: bool, rounding: DivisionRounding
) -> bool:
    """beyond: above 0 where the quotient is nearer to its ceiling, 0 at a tie."""
    above, tie = beyond > 0, beyond == 0
    match rounding:
        case "floor":
            return False
        case "ceil":
            return inexact
        case "toward_zero":
            return inexact and total < 0
        case "away":
            return inexact and total > 0
        case "half_up":
            return above or tie
        case "half_down":
            return above
        case "half_away":
            return above or (tie and total > 0)
        case "half_toward_zero":
            return above or (tie and total < 0)
        case "half_even":
            return above or (tie and floor % 2 == 1)
        case "half_odd":
            return above or (tie and floor % 2 == 0)
        case _:
            raise ContractError(no_case(rounding, "the rounding of a division", DIVISIONS))


def division_code(rounding: DivisionRounding) -> int:
    """Return the number of a rounding in the kernels that divide, or raise ContractError."""
    code = rounding_code(rounding)
    if rounding not in DIVISIONS or code > LAST:
        raise ContractError(
            f"a division's rounding must be one that the kernels know, not {rounding!r} "
            f"(accepted: {', '.join(DIVISIONS)})"
        )
    return code


def reference(
    codes: Sequence[int],
    rounding: DivisionRounding = "half_away",
    output: FixedFormat | None = None,
    offset: int = 0,
    divisor: int | None = None,
    zero_point: int = 0,
    *,
    select: Select = if_else,
) -> int:
    """Average the codes of one window (padding taps included by the caller): the definition.

    Args:
        codes: every code that counts; with a divisor, those in the input.
        rounding: of the division.
        output: format of the result, 8 bits signed by default.
        offset: subtracted before and added after the division (``centered``).
        divisor: of its own, in place of the number of codes.
        zero_point: with a divisor: the code of the taps that it has more than the codes.
        select: ``if``-expression of whoever traces it.
    """
    form = output or FixedFormat(8)
    total = step(sum(code - offset for code in codes), "sum", "of ", len(codes))
    count = len(codes)
    if divisor is not None:
        total = step(total + (divisor - count) * (zero_point - offset), "sum", "of ", divisor)
        count = divisor
    mean = step(divide(total, count, rounding) + offset, "zero_point")
    code: int = clamped(mean, form.min, form.max, select)
    return code


@kernel
def _divide(total: Any, count: Any, mode: Any) -> Any:
    floor = total // count
    rest = total - floor * count
    if _FLOOR <= mode <= _AWAY:
        up = mode == _CEIL or (mode == _TOWARD_ZERO and total < 0) or (mode == _AWAY and total > 0)
        return floor + (1 if up and rest > 0 else 0)
    odd = (floor & 1) == 1
    if mode == _HALF_UP:
        tie = True
    elif mode == _HALF_DOWN:
        tie = False
    elif mode == _HALF_AWAY:
        tie = total > 0
    elif mode == _HALF_TOWARD_ZERO:
        tie = total < 0
    elif mode == _HALF_EVEN:
        tie = odd
    elif mode == _HALF_ODD:
        tie = not odd
    else:
        raise ValueError("no rounding of a division has this number")
    return floor + (1 if 2 * rest > count or (2 * rest == count and tie) else 0)


@kernel
def _avg_pool(
    x: Any,
    y: Any,
    flags: Any,
    stats: Any,
    bounds: Any,
    counts: Any,
    depth: Any,
    rows: Any,
    columns: Any,
) -> None:
    low, high, pad_value, offset, mode, stated = bounds
    sums = np.empty(x.shape[4], np.int64)
    for o in range(y.shape[0]):
        for p in range(y.shape[1]):
            for r in range(y.shape[2]):
                for c in range(y.shape[3]):
                    valid = _sum(x[o], sums, depth, rows, columns, p, r, c)
                    count = counts[p, r, c] if stated else valid
                    extra = (count - valid) * pad_value - count * offset
                    for k in range(x.shape[4]):
                        v = _divide(sums[k] + extra, count, mode) + offset
                        code = min(max(v, low), high)
                        y[o, p, r, c, k] = code
                        if flags.size:
                            stats[0] = min(stats[0], v)
                            stats[1] = max(stats[1], v)
                            stats[2] += code != v
                            flags[o, p, r, c, k] = code != v


@kernel
def _sum(x: Any, sums: Any, depth: Any, rows: Any, columns: Any, p: Any, r: Any, c: Any) -> Any:
    """Sum the codes under window (p, r, c) of x [D, H, W, K]; return how many taps are inside."""
    valid = 0
    sums[:] = 0
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
                valid += 1
                for n in range(x.shape[3]):
                    sums[n] += x[d, h, w, n]
    return valid


def avg_pool(
    x: IntArray,
    kernel: PerDim,
    stride: PerDim | None = None,
    padding: Padding = 0,
    rounding: DivisionRounding = "half_away",
    *,
    count_include_pad: bool = False,
    output: FixedFormat | None = None,
    zero_point: int = 0,
    centered: bool = False,
    ceil_mode: bool = False,
    divisor: int | None = None,
    ledger: Ledger | None = None,
) -> IntArray:
    """Average the codes under each window.

    Args:
        x: integers of up to 33 bits (codes, or codes less a zero point), of shape N, C and one to
            three spatial dimensions, any strides.
        kernel: taps; an int or one per spatial dimension.
        stride: distance between windows; the kernel by default.
        padding: an int, one per dimension, or (before, after) pairs.
        rounding: of the division; a name of ``ROUNDINGS`` but ``jam`` and ``stochastic``.
        count_include_pad: divide by all taps in the padded input; the padding is ``zero_point``.
        output: format of the result; by default that of x's container (at most 32 bits).
        zero_point: the code of real 0.
        centered: round ``code - zero_point`` instead of the code.
        ceil_mode: keep a last window that sticks out.
        divisor: what the sum of a window is divided by, in place of its taps; up to 2**30.
        ledger: filled with the extremes of the rounded mean and with what was clamped.

    Returns:
        Codes in ``output.dtype``, x's memory order, of shape N, C, *output.

    Raises:
        ContractError: for arguments outside the contract.
    """
    for flag, name in ((count_include_pad, "count_include_pad"), (ceil_mode, "ceil_mode")):
        require_flag(flag, name)
    codes = require_signed(as_array(x, "x"), "x")
    spatial = windows(codes, kernel, stride, padding, 1, ceil_mode=ceil_mode)
    number = counts(spatial) if count_include_pad else None
    if divisor is not None:
        own = require_int(divisor, "divisor", 1, MAX_DIVISOR)
        number = np.full([len(axis.starts) for axis in three(spatial)], own, np.int64)
    return _averaged(x, spatial, number, rounding, output, zero_point, centered, ledger)


def adaptive_avg_pool(
    x: IntArray,
    output_size: PerDim,
    rounding: DivisionRounding = "half_away",
    *,
    output: FixedFormat | None = None,
    zero_point: int = 0,
    centered: bool = False,
    ledger: Ledger | None = None,
) -> IntArray:
    """Average the codes under each of the windows that share the input out.

    Args:
        x: as for ``avg_pool``.
        output_size: windows; an int or one per spatial dimension, more than elements too.
        rounding: of the division by the window's taps.
        output: as for ``avg_pool``.
        zero_point: the code of real 0, where averages are centered.
        centered: as for ``avg_pool``.
        ledger: as for ``avg_pool``.

    Returns:
        Codes as ``avg_pool`` returns them, of shape N, C, *output_size.

    Raises:
        ContractError: for arguments outside the contract.
    """
    codes = require_signed(as_array(x, "x"), "x")
    spatial = adaptive_windows(codes, output_size)
    return _averaged(x, spatial, None, rounding, output, zero_point, centered, ledger)


def _averaged(
    x: IntArray,
    spatial: list[Windows],
    number: IntArray | None,
    rounding: DivisionRounding,
    output: FixedFormat | None,
    zero_point: int,
    centered: bool,
    ledger: Ledger | None,
) -> IntArray:
    """Average under windows; ``number`` has the count of each where that is not its valid taps."""
    require_flag(centered, "centered")
    require_ledger(ledger)
    given = as_array(x, "x")
    mode = division_code(require_division(rounding, "avg_pool's rounding"))
    form = require_output(_container(given) if output is None else output)
    zero = require_int(zero_point, "zero_point", -(1 << 32), 1 << 32)
    plane, channels_last = planes(require_signed(given, "x"))
    if plane.size and not -(1 << 32) <= int(plane.min()) <= int(plane.max()) <= 1 << 32:
        ends = f"{int(plane.min())}..{int(plane.max())}"
        raise ContractError(f"x must be codes of up to 33 bits, not {ends} (accepted: +-2**32)")
    inner = plane.astype(np.int64, copy=False)
    y = np.empty((len(inner), *(len(a.starts) for a in three(spatial)), inner.shape[4]), np.int64)
    flags = np.empty(y.shape if ledger is not None else (0,) * 5, np.bool_)
    stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
    bounds = (form.min, form.max, zero, zero if centered else 0, mode, int(number is not None))
    taps = counts(spatial) if number is None else number
    _avg_pool(inner, y, flags, stats, np.array(bounds, np.int64), taps, *tables(spatial))
    shape = (*given.shape[:2], *(len(axis.starts) for axis in spatial))
    layout = result_layout(shape, channels_last=channels_last)
    if ledger is not None:
        ledger.fill(
            y.size,
            (int(stats[0]), int(stats[1])) if y.size else (0, 0),
            "avg_pool-int64",
            "the sum of a window fits 64 bits",
            clamped=int(stats[2]),
            first_clamped=layout.first(flags) if stats[2] else None,
        )
    return layout.restore(y.astype(form.dtype))


def global_avg_pool(
    x: IntArray,
    rounding: DivisionRounding = "half_away",
    *,
    output: FixedFormat | None = None,
    zero_point: int = 0,
    centered: bool = False,
    ledger: Ledger | None = None,
) -> IntArray:
    """Average each channel: one window as large as the input."""
    return adaptive_avg_pool(
        x,
        1,
        rounding,
        output=output,
        zero_point=zero_point,
        centered=centered,
        ledger=ledger,
    )


def _container(x: IntArray) -> FixedFormat:
    return FixedFormat(min(8 * x.dtype.itemsize, 32), signed=x.dtype.kind == "i")
