"""Bias add: a bias per channel enters the accumulator.

Real-number meaning: ``acc + bias``, both at the accumulator's scale.

Integer formula: ``overflow(acc + bias)``: the exact sum, then the accumulator's overflow rule.

Corners: operands may be wider than the accumulator (the rule sees their exact sum, of up to 65
bits). ``at`` does not matter, for one sum is one step. ``saturate_symmetric`` does not produce
-2**(bits-1), and ``error`` names the first element, in C order, with its exact sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import as_array, axis_length, require_accumulator, require_ledger
from hw_models._pointwise import (
    INT64_MAX,
    channel_view,
    extremes,
    require_axis,
    require_signed,
)
from hw_models.compiled import kernel
from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.formats import Accumulator, IntArray, if_else
from hw_models.ledger import Register
from hw_models.tracing import step

if TYPE_CHECKING:
    from hw_models._pointwise import Layout
    from hw_models.formats import Select
    from hw_models.ledger import Ledger


def reference(acc: Any, bias: Any, accumulator: Accumulator, *, select: Select = if_else) -> Any:
    """Return one sum after the overflow rule, in exact integers (or bit-vectors): the definition.

    Bit-vectors must be wide enough for the exact sum, and the rule none that raises.
    """
    total = step(acc + bias, "sum")
    if accumulator.overflow == "error" and not accumulator.min <= total <= accumulator.max:
        raise AccumulatorOverflowError(
            "bias_add", (), total, f"{accumulator.min}..{accumulator.max}"
        )
    return accumulator.hold(total, select)


@kernel
def _sum32(x: Any, y: Any, bias: Any) -> None:
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            b = bias[c]
            for i in range(x.shape[2]):
                y[o, c, i] = np.int32(x[o, c, i] + b)


@kernel
def _sum64(
    x: Any, y: Any, bias: Any, flags: Any, low: Any, high: Any, drop: Any, saturate: Any
) -> Any:
    count = 0
    for o in range(x.shape[0]):
        for c in range(x.shape[1]):
            b = bias[c]
            for i in range(x.shape[2]):
                a = x[o, c, i]
                total = a + b
                carry = ((a ^ total) & (b ^ total)) < 0  # the 64-bit sum itself wrapped
                over = carry or total < low or total > high
                if over and saturate:
                    up = b > 0 if carry else total > high
                    total = high if up else low
                else:
                    total = (total << drop) >> drop
                y[o, c, i] = total
                if flags.size:
                    flags[o, c, i] = over
                count += over
    return count


def bias_add(
    acc: IntArray,
    bias: int | IntArray,
    accumulator: Accumulator = Accumulator(),  # noqa: B008  # frozen
    axis: int = 1,
    ledger: Ledger | None = None,
) -> IntArray:
    """Add a bias to accumulators.

    Args:
        acc: integers of up to 64 bits, any shape and strides.
        bias: a scalar, or 1-D with one value per element of ``axis``; up to 64 bits.
        accumulator: format and overflow of the sum.
        axis: the dimension that a 1-D bias runs along.
        ledger: filled with the extremes of the exact sums and with the overflows.

    Returns:
        The sums, in ``accumulator.dtype``, the shape and the memory order of acc.

    Raises:
        ContractError: for arguments outside the contract.
        AccumulatorOverflowError: if the accumulator's overflow is ``error`` and a sum leaves it.
    """
    require_accumulator(accumulator)
    require_ledger(ledger)
    x = require_signed(as_array(acc, "acc"), "acc")
    b = require_bias(bias)
    if b.ndim == 1:
        axis = require_axis(axis, x.ndim, axis_length(x.shape, axis), len(b), "bias")
    view, layout = channel_view(x, axis, len(b) if b.ndim else 0)
    biases = np.ascontiguousarray(np.atleast_1d(b))
    y = np.empty(view.shape, accumulator.dtype)
    plain = accumulator.bits == 32 and accumulator.overflow == "wrap" and view.dtype == np.int32
    if plain and ledger is None:
        _sum32(view, y, biases)
        return layout.restore(y)
    _checked(view.astype(np.int64, copy=False), biases, y, accumulator, layout, ledger)
    return layout.restore(y)


def require_bias(bias: object) -> npt.NDArray[np.int64]:
    """Return a bias as the addition takes it, or raise ContractError."""
    b = require_signed(as_array(bias, "bias"), "bias").astype(np.int64, copy=False)
    if b.ndim > 1:
        raise ContractError(
            f"bias must be a scalar or 1-D, not of shape {b.shape} (accepted: one per channel)"
        )
    return b


def _checked(
    view: npt.NDArray[np.int64],
    biases: npt.NDArray[np.int64],
    y: IntArray,
    accumulator: Accumulator,
    layout: Layout,
    ledger: Ledger | None,
) -> None:
    wanted = ledger is not None or accumulator.overflow == "error"
    flags = np.empty(view.shape if wanted else (0, 0, 0), np.bool_)
    saturate = accumulator.saturates
    low, high, drop = accumulator.min, accumulator.max, 64 - accumulator.bits
    overflows = int(_sum64(view, y, biases, flags, low, high, drop, saturate))
    first = layout.first(flags) if wanted and overflows else None
    if ledger is not None:
        _fill(ledger, view, biases, accumulator, overflows, first)
    if accumulator.overflow == "error" and first is not None:
        position = _flat_index(layout, first)
        channel = position // max(view.shape[2], 1) % view.shape[1]
        total = int(view.reshape(-1)[position]) + int(biases[channel])
        raise AccumulatorOverflowError("bias_add", first, total, f"{low}..{high}")


def _flat_index(layout: Layout, index: tuple[int, ...]) -> int:
    shape = [layout.shape[i] for i in layout.order]
    return int(np.ravel_multi_index([index[i] for i in layout.order], shape)) if index else 0


def _fill(
    ledger: Ledger,
    view: npt.NDArray[np.int64],
    biases: npt.NDArray[np.int64],
    accumulator: Accumulator,
    overflows: int,
    first: tuple[int, ...] | None,
) -> None:
    ends: tuple[int, int] = (0, 0)
    if view.size:
        lows, highs = view.min((0, 2)), view.max((0, 2))
        widest = max(-int(lows.min()), int(highs.max())) + max(map(abs, extremes(biases)))
        # An addition of activations comes here with one bias for each element: no loop over them.
        exact = np.int64 if widest <= INT64_MAX else object
        ends = (
            int((lows.astype(exact) + biases).min()),
            int((highs.astype(exact) + biases).max()),
        )
    register = Register.of(accumulator, ends, overflows, first)
    reason = "the carry out of 64 bits is detected"
    ledger.fill(view.size, ends, "bias_add-int64", reason, registers=(register,))
