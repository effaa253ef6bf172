"""Arithmetic right shift of codes, element by element.

Real-number meaning: ``y = x / 2**shift``; a negative shift is a left one.

Integer formula: ``clamp(round_shift(x, shift))`` with any rounding of ``hw_models.rounding`` but
``stochastic``; the clamp is the output format.

| rounding | who                                                            |
|----------|----------------------------------------------------------------|
| floor    | TOSA ARITHMETIC_RIGHT_SHIFT; CMSIS-DSP arm_shift_q7, _q15 and  |
|          | _q31, whose left shifts saturate                               |
| half_up  | TOSA ARITHMETIC_RIGHT_SHIFT with ``round``                     |

Corners: a shift of 0 or less never rounds. A right shift beyond the width of x leaves 0 or -1
(``floor``), or what the rounding makes of so small a quotient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import as_array, require_ledger
from hw_models._broadcast import broadcast_shape, codes_of
from hw_models._pointwise import (
    INT64_MAX,
    INT64_MIN,
    memory_order,
    require_output,
    require_signed,
)
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray, clamped, if_else
from hw_models.requantization.exact import rounding_table
from hw_models.rounding import Rounding, require_deterministic, round_shift

if TYPE_CHECKING:
    from hw_models.formats import Select
    from hw_models.ledger import Ledger

LEAST, MOST = -31, 62  # what 64-bit arithmetic on 33-bit codes does exactly


def reference(
    x: int,
    shift: int,
    rounding: Rounding = "floor",
    output: FixedFormat | None = None,
    *,
    select: Select = if_else,
) -> int:
    """Shift one code: the definition; select as in requantize."""
    form = output or FixedFormat(8)
    code: int = clamped(round_shift(x, shift, rounding, select=select), form.min, form.max, select)
    return code


@kernel
def _shift(
    x: Any, shifts: Any, y: Any, flags: Any, stats: Any, low: Any, high: Any, table: Any, least: Any
) -> None:
    for i in range(x.size):
        k, left, bias, neg, odd, jam = table[shifts[i] - least]
        p = x[i] + bias + (neg if x[i] < 0 else 0) + odd * ((x[i] >> k) & 1)
        v = ((p >> k) | jam) << left
        code = min(max(v, low), high)
        y[i] = code
        if flags.size:
            stats[0] = min(stats[0], v)
            stats[1] = max(stats[1], v)
            stats[2] += code != v
            flags[i] = code != v


def shift_right(
    x: IntArray,
    shift: int | IntArray,
    rounding: Rounding = "floor",
    output: FixedFormat | None = None,
    ledger: Ledger | None = None,
) -> IntArray:
    """Shift codes to the right.

    Args:
        x: codes of up to 32 bits, any shape and strides.
        shift: -31..62, one for all or one per element; the shapes broadcast as in NumPy.
        rounding: a name of ``ROUNDINGS`` but ``stochastic``.
        output: format of the result; by default that of x's container (at most 32 bits).
        ledger: filled with the extremes of the shifted values and with what was clamped.

    Returns:
        Codes in ``output.dtype``; the memory order of x where the shift has no larger shape.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_deterministic(rounding, "shift_right's rounding")
    given = as_array(x, "x")
    codes = codes_of(given, "x")
    if output is None:
        output = FixedFormat(min(8 * given.dtype.itemsize, 32), signed=given.dtype.kind == "i")
    form = require_output(output)
    amounts = _amounts(shift)
    broadcast_shape(codes, amounts, ("x", "shift"))
    wide, spread = np.broadcast_arrays(codes.astype(np.int64, copy=False), amounts)
    dense, layout = memory_order(wide)
    # Copies: Numba compiles read-only arrays anew.
    flat = np.array(dense.reshape(-1))
    y = np.empty(flat.size, np.int64)
    flags = np.empty(flat.size if ledger is not None else 0, np.bool_)
    stats = np.array([INT64_MAX, INT64_MIN, 0], np.int64)
    table = rounding_table(np.arange(LEAST, MOST + 1), rounding)
    _shift(
        flat, np.array(spread.transpose(layout.order), order="C").reshape(-1), y, flags, stats,
        form.min, form.max, table, LEAST,
    )  # fmt: skip
    if ledger is not None:
        ledger.fill(
            y.size,
            (int(stats[0]), int(stats[1])) if y.size else (0, 0),
            "shift_right",
            "a shifted code of 32 bits fits 64 bits",
            clamped=int(stats[2]),
            first_clamped=layout.first(flags) if stats[2] else None,
        )
    return layout.restore(y.astype(form.dtype))


def _amounts(shift: int | IntArray) -> IntArray:
    amounts = require_signed(as_array(shift, "shift"), "shift")
    if amounts.size and not LEAST <= int(amounts.min()) <= int(amounts.max()) <= MOST:
        wrong = np.argwhere((amounts < LEAST) | (amounts > MOST))[0]
        index = tuple(int(i) for i in wrong)
        raise ContractError(
            f"shift must be in {LEAST}..{MOST}, not {int(amounts[index])} at index {index} "
            f"(accepted: {LEAST}..{MOST})"
        )
    return amounts.astype(np.int64, copy=False)
