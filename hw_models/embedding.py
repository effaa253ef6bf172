"""Embedding: rows of a table, read at positions that come at run time.

Real-number meaning: row i of a table of vectors stands for the thing that has number i: a word, a
position, a kind of token.

Integer formula: ``y[n..., :] = table[indices[n...], :]``: what an address generator reads from a
memory of rows. The codes of the table are the codes of the result.

Corners: positions count from 0, never from the end. One that is no row of the table is refused:
a memory has no answer to it. No indices give an empty result. No code changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import require_ledger, show
from hw_models._pointwise import ends_of, require_integers, require_numbers
from hw_models.errors import ContractError, IndexRangeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hw_models.formats import IntArray
    from hw_models.ledger import Ledger


def reference(table: Sequence[Sequence[int]], indices: Sequence[int]) -> list[list[int]]:
    """Read rows: the definition."""
    return [list(table[index]) for index in indices]


def embedding(
    table: npt.NDArray[Any], indices: IntArray, ledger: Ledger | None = None
) -> npt.NDArray[Any]:
    """Read the rows of a table at positions.

    Args:
        table: codes of any integer type or float32 values, any strides, [rows, ...].
        indices: integers in 0..rows-1, of any shape.
        ledger: filled with the extremes of the result; nothing overflows.

    Returns:
        A copy in the table's dtype, of the shape of indices and then that of a row.

    Raises:
        ContractError: for arguments outside the contract.
        IndexRangeError: an index is no row of the table.
    """
    require_ledger(ledger)
    rows = require_numbers(table, "table")
    if not rows.ndim:
        raise ContractError(
            f"table must have rows, not {show(table)} (accepted: one dimension or more)"
        )
    where = require_rows(require_integers(indices, "indices"), rows.shape[0])
    y: npt.NDArray[Any] = rows[where]
    if ledger is not None:
        reason = "no arithmetic: the codes are moved, not changed"
        ledger.fill(y.size, ends_of(y), "embedding", reason)
    return y


def require_rows(indices: IntArray, rows: int) -> npt.NDArray[np.int64]:
    """Return indices of rows, or raise IndexRangeError at the first that is none."""
    wrong = (indices < 0) | (indices >= rows)
    if wrong.any():
        at = np.unravel_index(int(np.argmax(wrong)), indices.shape)
        index = tuple(int(i) for i in at)
        raise IndexRangeError("embedding", index, int(indices[index]), rows)
    return indices.astype(np.int64)
