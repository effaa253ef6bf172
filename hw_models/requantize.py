"""Requantize: an accumulator becomes a narrow code.

Real-number meaning: ``y - zero_point ~ (acc - input_zero_point) * scale``.

Integer formula: ``y = clamp(scheme(acc - input_zero_point) + zero_point)``. The scheme is a value
object of ``hw_models.schemes`` (fixed point with one or two roundings, power of two, float32
multiplier), whose module docstring defines it to the bit.

Corners: the zero point is added *before* the clamp, in exact integers. The clamp is first the
fused activation, in output codes, then the output format. Nothing wraps: what a scheme makes of an
extreme accumulator saturates, except the 32-bit left shift of ``double`` rounding. ``double``
refuses accumulators outside int32. The narrow code -2**(bits-1) is kept out by a format with
``narrow=True``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models import _requantize as exact
from hw_models import _requantize_fast as fast
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    Layout,
    channel_view,
    extremes,
    output_range,
    require_axis,
    require_int,
    require_output,
    require_signed,
)
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo, Requantizer, if_else

if TYPE_CHECKING:
    from hw_models.ledger import Ledger
    from hw_models.schemes import Select

Array64 = npt.NDArray[np.int64]


def reference(
    acc: Any,
    requantizer: Requantizer,
    zero_point: int = 0,
    output: FixedFormat | None = None,
    clamp: tuple[int, int] | None = None,
    input_zero_point: int = 0,
    *,
    channel: int = 0,
    draw: int = 0,
    select: Select = if_else,
) -> Any:
    """Requantize one value in exact integers (or, with ``select``, bit-vectors): the definition.

    Args:
        acc: the accumulator, an integer or a wide enough bit-vector.
        requantizer: the scheme.
        zero_point: added before the clamp.
        output: format of the code; 8 bits signed by default.
        clamp: (low, high) of a fused activation, in output codes.
        input_zero_point: subtracted from the accumulator first.
        channel: which of the requantizer's channels.
        draw: for ``stochastic``, ``splitmix64(seed, index)``.
        select: ``if``-expression of an SMT solver.
    """
    low, high = output_range(output or FixedFormat(8), clamp)
    value = requantizer.reference(acc - input_zero_point, channel, draw=draw, select=select)
    value = value + zero_point
    return select(value < low, low, select(value > high, high, value))


def requantize(
    acc: IntArray,
    requantizer: Requantizer,
    zero_point: int = 0,
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    clamp: tuple[int, int] | None = None,
    axis: int = 1,
    input_zero_point: int = 0,
    ledger: Ledger | None = None,
) -> IntArray:
    """Rescale accumulators to codes of ``output``.

    Args:
        acc: integers of up to 64 bits, any shape and strides.
        requantizer: ``FixedPoint``, ``PowerOfTwo`` or ``FloatScale``.
        zero_point: of the output, added before the clamp.
        output: format of 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        axis: the dimension that per-channel parameters run along.
        input_zero_point: subtracted from acc first, exactly.
        ledger: filled with the extremes of the value (zero point included) before the clamp,
            and with what the clamp changed. ``FloatScale`` values count as at most 2**62.

    Returns:
        Codes in ``output.dtype``, the shape and the memory order of acc.

    Raises:
        ContractError: for arguments outside the contract.
    """
    x = require_signed(acc, "acc")
    low, high = output_range(require_output(output), clamp)
    zero = require_int(zero_point, "zero_point", -(1 << 32), 1 << 32)
    offset = require_int(input_zero_point, "input_zero_point", -(1 << 32), 1 << 32)
    if not isinstance(requantizer, (FixedPoint, PowerOfTwo, FloatScale)):
        raise ContractError(
            f"requantizer must be a scheme object, not {requantizer!r} (accepted: FixedPoint, "
            "PowerOfTwo, FloatScale)"
        )
    channels = requantizer.channels
    if channels:
        length = x.shape[axis] if -x.ndim <= axis < x.ndim else 0
        axis = require_axis(axis, x.ndim, length, channels, "requantizer")
        channels = length
    if _is_stochastic(requantizer):
        x = np.ascontiguousarray(x).reshape(x.shape)  # the draws count in C order
    view, layout = channel_view(x, axis, channels)
    if ledger is None and offset == 0 and view.dtype == np.int32 and output.bits <= 8:
        quick = fast.run(view, requantizer, low, high, zero)
        if quick is not None:
            return layout.restore(quick if output.signed else quick.view(np.uint8))
    bounds = np.array([low, high, zero], np.int64)
    y = np.empty(view.shape, np.int32)
    flags = np.empty(view.shape if ledger is not None else (0, 0, 0), np.bool_)
    stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
    wide = x.size > 0 and _run(view, layout, offset, requantizer, (y, flags, stats, bounds))
    if ledger is not None:
        span = (int(stats[0]), int(stats[1]))
        if wide:
            ends = _exact_ends(view, requantizer, offset, zero)
            # Draws make right shifts less than monotone: there the kernel's extremes are exact.
            ends += list(span) if _is_stochastic(requantizer) else []
            span = (min(ends), max(ends))
        _fill(ledger, x.size, span, int(stats[2]), layout, flags)
        ledger.kernel = f"requantize-{'wide' if wide else 'int64'}"
        ledger.reason = "the product " + (
            "may exceed 64 bits: two limbs" if wide else "fits 64 bits, by the extremes of acc"
        )
    codes = y.view(np.uint32) if not output.signed else y
    return layout.restore(codes.astype(output.dtype, copy=False))


def _fill(
    ledger: Ledger,
    size: int,
    span: tuple[int, int],
    clamped: int,
    layout: Layout,
    flags: npt.NDArray[np.bool_],
) -> None:
    ledger.elements, ledger.overflows, ledger.clamped = size, 0, clamped
    ledger.minimum, ledger.maximum = (int(span[0]), int(span[1])) if size else (0, 0)
    ledger.first = layout.first(flags) if clamped else None


def _is_stochastic(requantizer: Requantizer) -> bool:
    return isinstance(requantizer, PowerOfTwo) and requantizer.rounding == "stochastic"


def _per_channel(values: npt.NDArray[Any], view: IntArray) -> npt.NDArray[Any]:
    """A table with one entry for each channel of the view (a scalar is repeated)."""
    return values if len(values) == view.shape[1] else np.repeat(values, view.shape[1], axis=0)


def _run(
    view: IntArray, layout: Layout, offset: int, requantizer: Requantizer, out: tuple[Any, ...]
) -> bool:
    """Fill the output of one call; return whether the two-limb kernel was needed."""
    least, most = (value - offset for value in extremes(view))
    in64 = least >= INT64_MIN and most <= INT64_MAX
    x = view.astype(np.int64, copy=False)
    if isinstance(requantizer, FixedPoint) and requantizer.rounding == "double":
        if least < -(1 << 31) or most >= 1 << 31:
            _refuse_double(view, layout, offset)
        n = requantizer.bits - 1
        shifts = _per_channel(requantizer.shifts, view)
        lefts, rights = np.maximum(n - shifts, 0), np.maximum(shifts - n, 0)
        multipliers = _per_channel(requantizer.multipliers, view)
        exact.double(x - offset, *out, multipliers, lefts, rights, n)
        return False
    if isinstance(requantizer, FloatScale):
        if not in64:
            raise ContractError(
                f"acc - input_zero_point must fit 64 bits for a float scale, not {least}..{most} "
                "(accepted: a 64-bit signed difference)"
            )
        exact.float_scale(x - offset, *out, _per_channel(requantizer.scales, view))
        return False
    rounding = requantizer.rounding if isinstance(requantizer, PowerOfTwo) else "half_up"
    table = _per_channel(exact.rounding_table(requantizer.shifts, rounding), view)
    if _is_stochastic(requantizer):
        if not in64:
            raise ContractError(
                f"acc - input_zero_point must fit 64 bits to round stochastically, not "
                f"{least}..{most} (accepted: a 64-bit signed difference)"
            )
        exact.stochastic(x - offset, *out, table, np.uint64(requantizer.seed))  # type: ignore[union-attr]  # a PowerOfTwo
        widest = max(abs(least), abs(most)) << int(table[:, 1].max())
        return widest >= exact.LIMIT and bool((table[:, 0] == 0).any())
    if isinstance(requantizer, FixedPoint):
        multipliers = _per_channel(requantizer.multipliers, view)
    else:
        multipliers = np.ones(view.shape[1], np.int64)
    largest = max(abs(least), abs(most)) * max(abs(m) for m in extremes(multipliers))
    largest = (largest + 2 * int(table[:, 2].max()) + 2) << int(table[:, 1].max())
    if largest < exact.LIMIT:
        exact.affine(x - offset, *out, multipliers, table)
        return False
    exact.affine_wide(x, *out, multipliers, table, offset)
    return True


def _refuse_double(view: IntArray, layout: Layout, offset: int) -> None:
    values = layout.restore(view)
    info = np.iinfo(view.dtype)
    low, high = max(offset - (1 << 31), info.min), min(offset + (1 << 31) - 1, info.max)
    index = tuple(int(i) for i in np.argwhere((values < low) | (values > high))[0])
    raise ContractError(
        "double rounding is defined on 32-bit accumulators, not on "
        f"{int(values[index]) - offset} at index {index} (accepted: -2**31..2**31-1; "
        "rounding='single' takes 64 bits)"
    )


def _exact_ends(view: IntArray, requantizer: Requantizer, offset: int, zero: int) -> list[int]:
    """The values beyond 64 bits at each channel's ends: exact shifts and products are monotone."""
    ends = []
    for c in range(view.shape[1]):
        if _is_stochastic(requantizer) and requantizer.shifts[c % len(requantizer.shifts)] > 0:  # type: ignore[union-attr]
            continue
        ends += [requantizer.reference(x - offset, c) + zero for x in extremes(view[:, c])]
    return ends
