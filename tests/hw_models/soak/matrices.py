"""The product of two tensors of codes, column by column of products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.hw_models.soak.sums import Register, Sums, largest

if TYPE_CHECKING:
    import hw_models as hw


def matmul(
    a: Any, b: Any, a_zero: int, b_zeros: list[int], register: tuple[int, str, str, str]
) -> Sums:
    """numpy.matmul's shapes; b_zeros one per column."""
    bits, overflow, at, _ = register
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    depth = left.shape[-1]
    reach = largest(left, a_zero) * max((largest(right, z) for z in b_zeros), default=0)
    kind = np.int64 if reach * max(depth, 1) < 2**61 and bits <= 61 else object
    p = left.astype(kind) - a_zero
    q = right.astype(kind) - np.array(b_zeros, kind)
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    acc = Register((*batch, left.shape[-2], right.shape[-1]), kind, bits, overflow)
    for k in range(depth):
        acc.take(p[..., :, k, None] * q[..., None, k, :])
        if at == "mac":
            acc.settle()
    if at == "sum" and depth:
        acc.settle()
    sums = acc.result()
    drop = ([] if a.ndim > 1 else [-2]) + ([] if b.ndim > 1 else [-1])
    axes = tuple(i % sums.values.ndim for i in drop)
    sums.values, sums.flags = (np.squeeze(v, axes) for v in (sums.values, sums.flags))
    if sums.offender:
        index, value = sums.offender
        sums.offender = tuple(v for i, v in enumerate(index) if i not in axes), value
    return sums


def by_matrix(reference: Any, *arguments: Any) -> Any:
    """Wrap a definition that indexes as a correlation, [M, O, 0]: drop that last index."""

    def defined(ledger: hw.Ledger | None) -> Any:
        out = reference(*arguments, ledger)
        if ledger is not None:
            ledger.place(lambda index: index[:-1])
        return out

    return defined
