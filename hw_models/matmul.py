"""Matrix product of two tensors of codes, into accumulators; batched and broadcast.

Integer formula, for each pair of matrices that numpy.matmul's broadcasting makes::

    acc[..., m, n] = sum over k of (a[..., m, k] - a_zero_point) * (b[..., k, n] - b_zero_point[n])

k ascending. Corners are those of hw_models.correlation: the accumulator's rule at ``mac`` or
``sum``, exact differences and products of up to 68 bits, no products (K = 0) give 0. As in
numpy.matmul, a one-dimensional ``a`` is a row and a one-dimensional ``b`` a column, and the
dimension so added does not appear in the result; scalars are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from hw_models._arguments import as_array, require_accumulator, require_ledger
from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.formats import Accumulator, IntArray
from hw_models.ledger import Ledger, Register
from hw_models.linear import LinearPlan
from hw_models.linear import reference as linear_reference
from hw_models.products.geometry import check_code, check_codes, check_zero_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt


def reference(
    a: IntArray,
    b: IntArray,
    a_zero_point: int = 0,
    b_zero_point: int | IntArray = 0,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ledger: Ledger | None = None,
) -> IntArray:
    """Multiply 2-D a [M, K] and b [K, N] in Python integers."""
    return linear_reference(
        a, np.asarray(b).T, a_zero_point, b_zero_point, accumulator, ledger=ledger
    )


def _check_shapes(a: IntArray, b: IntArray) -> tuple[int, ...]:
    """Return the shape of the result's batch dimensions."""
    for name, array in (("a", a), ("b", b)):
        if array.ndim == 0:
            raise ContractError(
                f"{name} must have at least one dimension, not shape () "
                "(accepted: 1 dimension or more)"
            )
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise ContractError(
            f"a's last dimension must equal b's {'second to last' if b.ndim > 1 else 'only'}, not "
            f"{a.shape} with {b.shape} (accepted: [..., M, K] with [..., K, N])"
        )
    try:
        return np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ContractError(
            f"the batch dimensions of a and b must broadcast, not {a.shape[:-2]} with "
            f"{b.shape[:-2]} (accepted: equal sizes, or 1)"
        ) from None


def _gather(ledger: Ledger, parts: list[Ledger], accumulator: Accumulator, size: int) -> None:
    seen = [part for part in parts if part.elements]
    ends = (
        min((int(part.minimum) for part in seen), default=0),
        max((int(part.maximum) for part in seen), default=0),
    )
    firsts = [part.first for part in seen if part.first is not None]
    overflows = sum(part.overflows for part in seen)
    register = Register.of(accumulator, ends, overflows, min(firsts, default=None))
    names = {part.kernel: part.reason for part in reversed(seen)}
    kernels = [*dict.fromkeys(part.kernel for part in seen)]
    ledger.fill(
        size,
        ends,
        "+".join(kernels) or "none",
        "; ".join(names[kernel] for kernel in kernels) or "there are no products",
        registers=(register,),
    )


def matmul(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    a_zero_point: int = 0,
    b_zero_point: int | npt.ArrayLike = 0,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ledger: Ledger | None = None,
) -> IntArray:
    """Multiply matrices of codes into accumulators; the contract heads this module.

    Args:
        a: codes [..., M, K] or [K], any integer dtype and strides; values of at most 32 bits.
        b: codes [..., K, N] or [K]; batch dimensions broadcast as in numpy.matmul.
        a_zero_point: code of a that means 0.
        b_zero_point: code of b that means 0: a scalar or one per column, [N].
        accumulator: width, overflow rule and where it applies.
        ledger: filled with what the call did to its accumulators; indices are the result's.

    Returns:
        [..., M, N] of accumulator.dtype, less the dimensions added to one-dimensional operands.

    Raises:
        ContractError: an argument outside the contract.
        AccumulatorOverflowError: overflow="error" and a value did not fit.
    """
    require_accumulator(accumulator)
    require_ledger(ledger)
    left, right = check_codes("a", as_array(a, "a")), check_codes("b", as_array(b, "b"))
    batch = _check_shapes(left, right)
    added = (left.ndim == 1, right.ndim == 1)
    left = left[None, :] if added[0] else left
    right = right[:, None] if added[1] else right
    rows, columns = left.shape[-2], right.shape[-1]
    a_zero_point = check_code("a_zero_point", a_zero_point)
    points = check_zero_points("b_zero_point", as_array(b_zero_point, "b_zero_point"), columns)
    books: list[Ledger] = []
    parts: Iterator[tuple[tuple[int, ...], IntArray, LinearPlan]]
    if right.ndim == 2:
        # One matrix for all: the batch of a is more rows of the same product.
        parts = iter([((), left, LinearPlan(right.T, a_zero_point, points, accumulator))])
    else:
        left = np.broadcast_to(left, (*batch, *left.shape[-2:]))
        right = np.broadcast_to(right, (*batch, *right.shape[-2:]))
        parts = (
            (index, left[index], LinearPlan(right[index].T, a_zero_point, points, accumulator))
            for index in np.ndindex(*batch)
        )
    out = np.zeros((*batch, rows, columns), accumulator.dtype)
    for index, matrix, plan in parts:
        part = Ledger()
        try:
            out[index] = plan(matrix, None if ledger is None else part)
        except AccumulatorOverflowError as error:
            where = _drop((*index, *error.index), added)
            raise AccumulatorOverflowError.of("matmul", accumulator, where, error.value) from None
        part.place(lambda first, index=index: _drop((*index, *first), added))  # type: ignore[misc]
        books.append(part)
    if ledger is not None:
        _gather(ledger, books, accumulator, out.size)
    shape = (*batch, *(() if added[0] else (rows,)), *(() if added[1] else (columns,)))
    return cast("IntArray", out.reshape(shape))


def _drop(index: tuple[int, ...], added: tuple[bool, bool]) -> tuple[int, ...]:
    """Remove the index of a dimension that a one-dimensional operand did not have."""
    row = () if added[0] else (index[-2],)
    column = () if added[1] else (index[-1],)
    return (*index[:-2], *row, *column)
