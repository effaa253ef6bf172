"""Argmax: the position of the largest code along one dimension.

Real-number meaning: the index of the largest value; scale and zero point do not matter.

Integer formula: the smallest ``i`` with ``x[i] == max(x)``; with ``last``, the largest.

Corners: of equal maxima the first counts, as in TFLite (tensorflow
lite/kernels/internal/reference/arg_min_max.h), TOSA and torch, whose documentation promises it.
The last counts in ONNX's ArgMax with ``select_last_index``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hw_models._arguments import as_array, axis_length, require_flag, require_ledger
from hw_models._pointwise import extremes, require_axis, require_integers
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.ledger import Ledger

INDEX = FixedFormat(32)


def reference(codes: Sequence[int], *, last: bool = False) -> int:
    """Return the position of the first, or the last, of the largest codes: the definition."""
    best = 0
    for position, code in enumerate(codes):
        if code > codes[best] or (last and code == codes[best]):
            best = position
    return best


def argmax(
    x: IntArray,
    axis: int = -1,
    *,
    keepdims: bool = False,
    last: bool = False,
    output: FixedFormat = INDEX,
    ledger: Ledger | None = None,
) -> IntArray:
    """Find the position of the largest code along a dimension.

    Args:
        x: codes of any integer type, one dimension or more, any strides.
        axis: the dimension to search, of at least one element.
        keepdims: keep it, with length 1.
        last: of equal codes the last counts, not the first.
        output: format of the positions, up to 64 bits; it must hold the last one.
        ledger: filled with the extremes of the positions; nothing overflows.

    Returns:
        Positions in ``output.dtype``.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_flag(keepdims, "keepdims")
    require_flag(last, "last")
    codes = require_integers(as_array(x, "x"), "x")
    length = axis_length(codes.shape, axis)
    axis = require_axis(axis, codes.ndim, length, length, "argmax")
    if length == 0:
        raise ContractError(
            f"axis must have elements to choose from, not shape {codes.shape} along {axis} "
            "(accepted: 1 or more)"
        )
    if not isinstance(output, FixedFormat) or output.max < length - 1:
        raise ContractError(
            f"output must hold the last position, {length - 1}, but {output!r} does not "
            "(accepted: a FixedFormat that is wide enough)"
        )
    searched = np.flip(codes, axis) if last else codes
    found = np.asarray(np.argmax(searched, axis=axis, keepdims=keepdims))
    result = (length - 1 - found if last else found).astype(output.dtype)
    if ledger is not None:
        ledger.fill(result.size, extremes(result), "argmax", "comparisons are exact")
    return result
