"""Strided slice: codes are read at a start and a step along every dimension.

Real-number meaning: a part of a tensor, every n-th element of it, its mirror image, or one element
many times.

Integer formula: ``y[i_0, i_1, ...] = x[s_0 + t_0 * i_0, s_1 + t_1 * i_1, ...]`` with start ``s_d``,
step ``t_d`` and ``0 <= i_d < size_d``: what an address generator of nested counters makes.

| step | what                    | who                                    |
|------|-------------------------|----------------------------------------|
| 1    | a part                  | SLICE, narrow, split, chunk            |
| > 1  | every n-th              | STRIDED_SLICE                          |
| < 0  | backward                | REVERSE, flip                          |
| 0    | one element, repeatedly | BROADCAST_TO, TILE of size 1, expand   |

Corners: a start is counted from 0, never from the end. Every position that is read must lie in x;
where a size is 0 none is read, and start and step may be any. No code changes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hw_models._arguments import require_ledger, show
from hw_models._pointwise import ends_of, require_numbers
from hw_models.errors import ContractError
from hw_models.formats import IntArray, is_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.ledger import Ledger

MAX_ELEMENTS = 1 << 31
_LIMIT = 1 << 31


def reference(codes: Sequence[int], start: int, step: int, size: int) -> list[int]:
    """Read one line of codes: the definition."""
    return [codes[start + step * i] for i in range(size)]


def strided_slice(
    x: IntArray,
    starts: Sequence[int],
    steps: Sequence[int],
    sizes: Sequence[int],
    ledger: Ledger | None = None,
) -> IntArray:
    """Read codes at a start and a step along every dimension.

    Args:
        x: codes of any integer type or float32 values, any shape and strides.
        starts: the first position that is read, for each dimension, from 0.
        steps: how far the next one lies, for each dimension; of either sign, or 0.
        sizes: how many are read, for each dimension: the shape of the result.
        ledger: filled with the extremes of the result; nothing overflows.

    Returns:
        A copy, in x's dtype and with its dimensions in memory as those of x lie.

    Raises:
        ContractError: for arguments outside the contract; a position outside of x is named.
    """
    require_ledger(ledger)
    codes = require_numbers(x, "x")
    first, by, shape = (
        _each(values, name, codes.ndim)
        for values, name in ((starts, "starts"), (steps, "steps"), (sizes, "sizes"))
    )
    check(codes.shape, first, by, shape)
    view = codes[tuple(map(_window, first, by, shape))]
    y: IntArray = np.array(np.broadcast_to(view, shape), order="K")
    if ledger is not None:
        reason = "no arithmetic: the codes are moved, not changed"
        ledger.fill(y.size, ends_of(y), "strided_slice", reason)
    return y


def check(
    lengths: Sequence[int], starts: Sequence[int], steps: Sequence[int], sizes: Sequence[int]
) -> None:
    """Refuse a position outside of a tensor, with its dimension.

    Raises:
        ContractError: a position that is read lies outside, or there are too many of them.
    """
    if any(size < 0 for size in sizes) or math.prod(sizes) >= MAX_ELEMENTS:
        raise ContractError(
            f"sizes must be 0 or more, and their product below 2**31, not {show(tuple(sizes))} "
            "(accepted: smaller sizes)"
        )
    if 0 in sizes:
        return
    for axis, (length, start, step, size) in enumerate(
        zip(lengths, starts, steps, sizes, strict=True)
    ):
        last = start + step * (size - 1)
        for position in (start, last):
            if not 0 <= position < length:
                raise ContractError(
                    f"starts, steps and sizes must stay in the tensor, not read position "
                    f"{position} of dimension {axis} (accepted: 0..{length - 1})"
                )


def _window(start: int, step: int, size: int) -> slice:
    """Return the slice of a dimension; of step 0 one element, to be repeated."""
    if step == 0 or size <= 1:
        return slice(start, start + 1 if size else start)
    end = start + step * size
    return slice(start, end if end >= 0 else None, step)


def _each(values: Sequence[int], name: str, ndim: int) -> tuple[int, ...]:
    items = list(values) if isinstance(values, (list, tuple)) else None
    if items is None or len(items) != ndim or not all(map(is_int, items)):
        raise ContractError(
            f"{name} must have one integer per dimension, not {show(values)} "
            f"(accepted: {ndim} integers)"
        )
    for item in items:
        if not -_LIMIT < item < _LIMIT:
            raise ContractError(
                f"{name} must be below 2**31 in size, not {item} (accepted: -2**31+1..2**31-1)"
            )
    return tuple(map(int, items))
