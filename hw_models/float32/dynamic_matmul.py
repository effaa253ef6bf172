"""Matrix product of two tensors of codes whose zero points are known at run time only.

Integer formula: that of ``hw_models.matmul``::

    acc[..., m, n] = sum over k of (a[..., m, k] - a_zero_point) * (b[..., k, n] - b_zero_point)

with one zero point for each tensor. A unit may as well multiply the codes as they are and take off
what the zero points make of sums of rows and columns: the exact sums are the same.

Source: ONNX's MatMulInteger, as DynamicQuantizeMatMul and quantize_dynamic use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw_models._pointwise import require_integers
from hw_models.errors import ContractError
from hw_models.formats import Accumulator, IntArray
from hw_models.matmul import matmul

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.ledger import Ledger


def dynamic_matmul(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    a_zero_point: npt.ArrayLike,
    b_zero_point: npt.ArrayLike,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ledger: Ledger | None = None,
) -> IntArray:
    """Multiply matrices of codes into accumulators.

    Args:
        a: codes [..., M, K].
        b: codes [..., K, N]; batch dimensions broadcast.
        a_zero_point: an integer array of one element, as ``choose_qparams`` makes it.
        b_zero_point: likewise.
        accumulator: width, overflow rule and where it applies.
        ledger: filled with what the call did to its accumulators.

    Raises:
        ContractError: for arguments outside the contract.
        AccumulatorOverflowError: overflow="error" and a value did not fit.
    """
    points = (_point(a_zero_point, "a_zero_point"), _point(b_zero_point, "b_zero_point"))
    return matmul(a, b, *points, accumulator=accumulator, ledger=ledger)


def _point(value: npt.ArrayLike, name: str) -> int:
    array = require_integers(value, name)
    if array.size != 1:
        raise ContractError(
            f"{name} must be one integer, not the shape {array.shape} (accepted: one element)"
        )
    return int(array.reshape(()))
