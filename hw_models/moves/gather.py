"""Gather: codes are read at constant positions along one dimension.

Real-number meaning: the slices of a tensor along ``axis`` in another order; some often, some never.

Integer formula: ``y[..., j, ...] = x[..., indices[j], ...]``: what an address generator with a
table of positions makes. GATHER of TFLite and TOSA with constant indices, ``index_select``, roll,
the windows of unfold.

Corners: positions are counted from 0, never from the end, and lie in x: none wraps, none is
clamped. No indices give an empty result. No code changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hw_models._arguments import as_array, axis_length, require_ledger, show
from hw_models._pointwise import ends_of, require_axis, require_numbers
from hw_models.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import IntArray
    from hw_models.ledger import Ledger


def reference(codes: Sequence[int], indices: Sequence[int]) -> list[int]:
    """Read one line of codes: the definition."""
    return [codes[index] for index in indices]


def gather(x: IntArray, indices: IntArray, axis: int = 1, ledger: Ledger | None = None) -> IntArray:
    """Read codes at positions along one dimension.

    Args:
        x: codes of any integer type or float32 values, any strides, one dimension or more.
        indices: the positions, integers in 0..n-1 for a dimension of n; one dimension.
        axis: the dimension that they count.
        ledger: filled with the extremes of the result; nothing overflows.

    Returns:
        A copy in x's dtype, whose length along ``axis`` is the number of indices.

    Raises:
        ContractError: for arguments outside the contract; a position outside of x is named.
    """
    require_ledger(ledger)
    codes = require_numbers(x, "x")
    length = axis_length(codes.shape, axis)
    axis = require_axis(axis, codes.ndim, length, length, "gather")
    where = require_positions(indices, length)
    y: IntArray = np.take(codes, where, axis=axis)
    if ledger is not None:
        reason = "no arithmetic: the codes are moved, not changed"
        ledger.fill(y.size, ends_of(y), "gather", reason)
    return y


def require_positions(indices: object, length: int) -> IntArray:
    """Return positions of a dimension, or raise ContractError where one lies outside."""
    where = as_array(indices, "indices")
    if where.ndim != 1 or (where.dtype.kind not in "iu" and where.size):
        raise ContractError(
            f"indices must be integers in one dimension, not {show(indices)} "
            "(accepted: a list of positions)"
        )
    wrong = (where < 0) | (where >= length)
    if wrong.any():
        at = int(np.argmax(wrong))
        accepted = f"0..{length - 1}" if length else "none: the dimension is empty"
        raise ContractError(
            f"indices must lie in the dimension, not {int(where[at])} at index {at} "
            f"(accepted: {accepted})"
        )
    return where.astype(np.int64)
