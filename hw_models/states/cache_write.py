"""Cache write: rows of codes take the place of others, at positions that come at run time.

Real-number meaning: a cache of ``length`` rows along ``axis`` (keys or values of earlier tokens, a
delay line) in which new rows replace those at their positions. Cache and rows have one scale and
one zero point: no code changes.

Integer formula: ``y = cache``, then for every row j in order ``y[..., p, ...] = rows[..., j, ...]``
with ``p = positions[j]``; of one position alone for several rows, ``p = positions[0] + j``.

* linear: p must lie in 0..length - 1; a cache that is full takes no more.
* ring: the row is ``p mod length``, of 0..length - 1 for a negative p too; the oldest is replaced.

Corners: of rows with one position, the last counts. A write that is refused changes nothing.
TFLite's DYNAMIC_UPDATE_SLICE is the linear form with one position, but moves a slice that would
leave the cache back into it; here such a write is refused. torch's ``index_copy`` and ``index_put``
with one index are the linear form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hw_models._arguments import require_flag, require_ledger, show
from hw_models._pointwise import ends_of, require_axis, require_numbers, require_signed
from hw_models.errors import CachePositionError, ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hw_models.formats import IntArray
    from hw_models.ledger import Ledger


def reference(
    cache: Sequence[int], rows: Sequence[int], positions: Sequence[int], *, ring: bool = False
) -> list[int]:
    """Write into one line of codes: the definition.

    Raises:
        IndexError: a position outside of a linear cache.
    """
    line = list(cache)
    at = positions if len(positions) == len(rows) else [positions[0] + j for j in range(len(rows))]
    for row, position in zip(rows, at, strict=True):
        if not ring and not 0 <= position < len(line):
            raise IndexError(position)
        line[position % len(line)] = row
    return line


def cache_write(
    cache: IntArray,
    rows: IntArray,
    positions: IntArray,
    axis: int = -2,
    ring: bool = False,
    ledger: Ledger | None = None,
) -> IntArray:
    """Return a cache with rows written at positions.

    Args:
        cache: codes of any integer type or float32 values; one row or more along ``axis``.
        rows: of the cache's dtype, and of its shape but along ``axis``.
        positions: integers, one dimension: one for each row, or the first row's alone.
        axis: the dimension that positions count.
        ring: positions count modulo the cache's length.
        ledger: filled with the extremes of the result; nothing overflows.

    Returns:
        A copy in the cache's dtype.

    Raises:
        ContractError: for arguments outside the contract.
        CachePositionError: a position outside of a linear cache.
    """
    require_ledger(ledger)
    require_flag(ring, "ring")
    held, new = require_numbers(cache, "cache"), require_numbers(rows, "rows")
    axis = require_axis(axis, held.ndim, 1, 1, "cache_write")
    _require_rows(held, new, axis)
    where = places(positions, new.shape[axis], held.shape[axis], ring=ring)
    y: IntArray = np.array(held, order="C")
    along, source = np.moveaxis(y, axis, 0), np.moveaxis(new, axis, 0)
    for j, place in enumerate(where):
        along[place] = source[j]
    if ledger is not None:
        reason = "no arithmetic: the codes are moved, not changed"
        ledger.fill(y.size, ends_of(y), "cache_write", reason)
    return y


def _require_rows(cache: npt.NDArray[np.generic], rows: npt.NDArray[np.generic], axis: int) -> None:
    if cache.shape[axis] == 0:
        raise ContractError("cache must have rows, not none (accepted: 1 row or more)")
    wanted = (*cache.shape[:axis], rows.shape[axis] if rows.ndim == cache.ndim else 0)
    wanted = (*wanted, *cache.shape[axis + 1 :])
    if rows.shape != wanted or rows.dtype != cache.dtype:
        raise ContractError(
            f"rows must have the cache's dtype, and its shape but along the axis, not {rows.dtype} "
            f"{rows.shape} (accepted: {cache.dtype} {wanted})"
        )


def places(positions: object, rows: int, length: int, *, ring: bool) -> list[int]:
    """Return the row of the cache that each new one is written to.

    Raises:
        ContractError: positions are no integers of one dimension, one or as many as rows.
        CachePositionError: a position outside of a linear cache.
    """
    given = require_signed(positions, "positions")
    if given.ndim != 1 or given.size not in (1, rows):
        raise ContractError(
            f"positions must be one for each row, or the first one's, not {show(positions)} "
            f"(accepted: 1 or {rows} integers in one dimension)"
        )
    one = given.size != rows
    found = [int(given[0]) + j for j in range(rows)] if one else [int(p) for p in given]
    for j, position in enumerate(found):
        if not ring and not 0 <= position < length:
            raise CachePositionError(position, j, length)
    return [position % length for position in found]
