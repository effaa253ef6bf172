"""Lookup: every code is replaced by its entry in a table.

Real-number meaning: any function of one real, computed beforehand for every code: a sigmoid, a
GELU, a rescaling to another format.

Integer formula: ``y = table[x - input.min]``. The table has one entry per code of the input
format, the entry of the smallest code first: ``2**bits`` of them, one less for a narrow format.

Corners: a code outside the input format has no entry and is refused; nothing wraps or saturates.
In hardware the address is the code's raw bits, so that a signed table starts in the middle of the
memory: entry ``i`` lies at address ``(input.min + i) mod 2**bits``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hw_models._arguments import as_array, require_ledger, show
from hw_models._pointwise import (
    extremes,
    memory_order,
    require_codes,
    require_output,
    require_signed,
)
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray
from hw_models.tracing import step

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hw_models.ledger import Ledger

MAX_BITS = 16


def reference(x: int, table: Sequence[int], input: FixedFormat) -> int:  # noqa: A002
    """Look up one code: the definition."""
    entry: int = step(table[step(x - input.min, "entry")], "value")
    return entry


def _take(codes: IntArray, table: IntArray, low: int) -> IntArray:
    """Gather in one pass; indices are checked by the caller, so that none is negative."""
    return table.take(codes.astype(np.intp) - low)


def lookup(
    x: IntArray,
    table: IntArray,
    input: FixedFormat = FixedFormat(8),  # noqa: A002, B008  # the contract's name; frozen
    output: FixedFormat = FixedFormat(8),  # noqa: B008  # frozen
    ledger: Ledger | None = None,
) -> IntArray:
    """Replace codes with their entries in a table.

    Args:
        x: codes of ``input``, any shape and strides.
        table: one code of ``output`` per code of ``input``, 1-D, the smallest code's first.
        input: format of x, 1 to 16 bits.
        output: format of the entries, 1 to 32 bits.
        ledger: filled with the extremes of the result; nothing overflows.

    Returns:
        Codes in ``output.dtype``, the shape and the memory order of x.

    Raises:
        ContractError: for arguments outside the contract; a code outside ``input`` is named with
            its index.
    """
    require_ledger(ledger)
    entries = _entries(table, _require_input(input), require_output(output))
    codes = require_signed(as_array(x, "x"), "x")
    require_codes(codes, "x", input)
    dense, layout = memory_order(codes)
    y = _take(dense, entries, input.min)
    if ledger is not None:
        ledger.fill(y.size, extremes(y), "lookup", "no arithmetic: codes are read")
    return layout.restore(y)


def _require_input(value: FixedFormat) -> FixedFormat:
    if not isinstance(value, FixedFormat) or value.bits > MAX_BITS:
        raise ContractError(
            f"input must be a FixedFormat of 1 to {MAX_BITS} bits, not {show(value)} "
            f"(accepted: 1..{MAX_BITS} bits)"
        )
    return value


def _entries(table: npt.ArrayLike, form: FixedFormat, output: FixedFormat) -> IntArray:
    entries = require_signed(as_array(table, "table"), "table")
    size = form.max - form.min + 1
    if entries.shape != (size,):
        raise ContractError(
            f"table must have one entry per code of the input format, not shape {entries.shape} "
            f"(accepted: ({size},))"
        )
    require_codes(entries, "table", output)
    return entries.astype(output.dtype, copy=False)
