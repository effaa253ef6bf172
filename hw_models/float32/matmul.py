"""Matrix product of two float32 tensors, its sums in order; batched and broadcast as numpy.matmul.

Formula, k ascending; every step is rounded to float32, ``fma`` once::

    s = 0; s = fma(a[..., m, k], b[..., k, n], s)             fused
    s = 0; s = f32(s + f32(a[..., m, k] * b[..., k, n]))      not fused

Corners: no products (K = 0) give 0.

Source: MKL's sgemm for x86 with fused multiply-add, up to depths of 256 or more; ATen's own loop,
which is not fused, where a matrix takes fewer than 400 products (LinearAlgebra.cpp).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_flag, require_ledger
from hw_models._pointwise import ends_of, require_floats
from hw_models.compiled import kernel
from hw_models.compiled.fused import fused_multiply_add
from hw_models.errors import ContractError
from hw_models.float32.steps import f32
from hw_models.float32.steps import fused as fused_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FloatArray
    from hw_models.ledger import Ledger


def reference(row: Sequence[float], column: Sequence[float], *, fused: bool) -> float:
    """Return one sum of products, step by step: the definition."""
    total = 0.0
    for a, b in zip(row, column, strict=True):
        total = fused_step(a, b, total) if fused else f32(total + f32(a * b))
    return total


@kernel(nogil=True)
def products(a: Any, b: Any, y: Any, fused: Any) -> None:
    """Multiply a [P, M, K] by b [P, K, N] into y [P, M, N], each sum in its order."""
    for p in range(a.shape[0]):
        for m in range(a.shape[1]):
            y[p, m, :] = 0
            for k in range(a.shape[2]):
                factor = a[p, m, k]
                if fused:
                    for n in range(b.shape[2]):
                        y[p, m, n] = fused_multiply_add(factor, b[p, k, n], y[p, m, n])
                else:
                    for n in range(b.shape[2]):
                        y[p, m, n] += factor * b[p, k, n]


def float_matmul(
    a: FloatArray, b: FloatArray, *, fused: bool = True, ledger: Ledger | None = None
) -> npt.NDArray[np.float32]:
    """Multiply float32 matrices.

    Args:
        a: float32 [..., M, K], any strides.
        b: float32 [..., K, N]; batch dimensions broadcast.
        fused: multiply and add with one rounding.
        ledger: filled with the extremes of the result.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_flag(fused, "fused")
    left, right = require_floats(a, "a"), require_floats(b, "b")
    fits = min(left.ndim, right.ndim) > 1 and left.shape[-1] == right.shape[-2]
    try:
        batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    except ValueError:
        fits = False
    if not fits:
        raise ContractError(
            f"a and b must be matrices that multiply, not {left.shape} by {right.shape} "
            "(accepted: [..., M, K] by [..., K, N])"
        )
    y = np.empty((*batch, left.shape[-2], right.shape[-1]), np.float32)
    products(
        _stacked(left, batch),
        _stacked(right, batch),
        y.reshape(math.prod(batch), *y.shape[-2:]),
        fused,
    )
    if ledger is not None:
        ledger.fill(y.size, ends_of(y), "float_matmul", "float32, sums in order")
    return y.reshape(*batch, *y.shape[-2:])


def _stacked(x: npt.NDArray[np.float32], batch: tuple[int, ...]) -> npt.NDArray[np.float32]:
    wide = np.broadcast_to(x, (*batch, *x.shape[-2:]))
    return np.ascontiguousarray(wide).reshape(math.prod(batch), *x.shape[-2:])
