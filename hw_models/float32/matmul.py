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
from hw_models.compiled import kernel, part
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


@part
def _eight(f: Any, b: Any, y: Any) -> None:
    """Add eight fused products to each sum: f [8], b [8, N], y [N]; sums stay in registers."""
    f0, f1, f2, f3, f4, f5, f6, f7 = f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
    b0, b1, b2, b3, b4, b5, b6, b7 = b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]
    for n in range(y.size):
        s = fused_multiply_add(f0, b0[n], y[n])
        s = fused_multiply_add(f1, b1[n], s)
        s = fused_multiply_add(f2, b2[n], s)
        s = fused_multiply_add(f3, b3[n], s)
        s = fused_multiply_add(f4, b4[n], s)
        s = fused_multiply_add(f5, b5[n], s)
        s = fused_multiply_add(f6, b6[n], s)
        y[n] = fused_multiply_add(f7, b7[n], s)


@kernel(nogil=True)
def products(a: Any, b: Any, y: Any, fused: Any) -> None:
    """Multiply a [P, M, K] by b [P, K, N] into y [P, M, N], each sum in its order."""
    depth = a.shape[2]
    whole = depth // 8 * 8 if fused else 0
    for p in range(a.shape[0]):
        for m in range(a.shape[1]):
            row = y[p, m]
            row[:] = 0
            for k in range(0, whole, 8):
                _eight(a[p, m, k : k + 8], b[p, k : k + 8], row)
            for k in range(whole, depth):
                factor = a[p, m, k]
                if fused:
                    for n in range(row.size):
                        row[n] = fused_multiply_add(factor, b[p, k, n], row[n])
                else:
                    for n in range(row.size):
                        row[n] += factor * b[p, k, n]


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
