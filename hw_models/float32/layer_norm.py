"""Layer norm of float32 values over the last dimensions, its moments in lanes.

Real-number meaning: ``y = (x - mean) / sqrt(variance + eps) * weight + bias``.

Formula, for each row of C values in L lanes; every step is rounded to float32, ``fma`` once. A
triple (count, mean, m2) tells what was seen; m2 is the sum of squared distances to the mean.

1. In each lane, over blocks of 16 values, j = 0.. within a block, from (0, 0, 0)::

       d = x - mean;  mean = fma(d, 1 / (j + 1), mean);  m2 = fma(d, x - mean, m2)

2. Blocks join in pairs, pairs of pairs and so on, as a binary counter carries; lane by lane::

       share = f32(count_b) / f32(count);  d = mean_b - mean;  part = share * d
       m2 = fma(d * f32(count_a), part, m2 + m2_b);  mean = mean + part

3. What is left at the end, from (0, 0, 0), in order: ``d = x - mean``; ``mean = mean + d / n``;
   ``m2 = m2 + d * (x - mean)``.
4. Each lane joins it in order: ``share`` and ``d`` as before; ``mean = fma(share, d, mean)``;
   ``m2 = m2 + fma(d * d * share, f32(count_a), m2_b)``.
5. ``r = 1 / sqrt(m2 / C + eps)``;  ``y = fma((x - mean) * r, weight, bias)``. Without a bias it
   is 0; without a weight, ``y = (x - mean) * r``.

Corners: a constant row has the variance 0 and is the bias; eps must be above 0.

Source: ATen's layer_norm_kernel.cpp and moments_utils.h, in 8 lanes (its AVX2 form, which
processors with AVX-512 run too), as GCC contracts it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_ledger
from hw_models._pointwise import ends_of, require_floats, require_int
from hw_models.compiled import kernel, part
from hw_models.compiled.fused import fused_multiply_add
from hw_models.errors import ContractError
from hw_models.float32.softmax import require_lanes
from hw_models.float32.steps import divide, f32, fused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FloatArray
    from hw_models.ledger import Ledger

    Moments = tuple[int, float, float]

BLOCK: Final = 16


def _joined(a: Moments, b: Moments) -> Moments:
    (count_a, mean, m2), (count_b, mean_b, m2_b) = a, b
    count = count_a + count_b
    share = divide(count_b, count) if count else 0.0
    d = f32(mean_b - mean)
    piece = f32(share * d)
    m2 = fused(f32(d * count_a), piece, f32(m2 + m2_b))
    return count, f32(mean + piece), m2


def _lane(values: Sequence[float]) -> Moments:
    """Return what one lane has seen, in blocks that join as a binary counter carries."""
    blocks = [values[start : start + BLOCK] for start in range(0, len(values), BLOCK)]
    levels = max((len(blocks) - 1).bit_length(), 1)
    stack: list[Moments] = [(0, 0.0, 0.0)] * levels
    for number, block in enumerate(blocks, 1):
        mean = m2 = 0.0
        for j, x in enumerate(block, 1):
            d = f32(x - mean)
            mean = fused(d, divide(1, j), mean)
            m2 = fused(d, f32(x - mean), m2)
        stack[0] = _joined(stack[0], (len(block), mean, m2))
        level, carry = 1, number
        while level < levels and not carry & 1:
            stack[level] = _joined(stack[level], stack[level - 1])
            stack[level - 1] = (0, 0.0, 0.0)
            level, carry = level + 1, carry >> 1
    for level in range(1, levels):
        stack[0] = _joined(stack[0], stack[level])
    return stack[0]


def moments_reference(row: Sequence[float], lanes: int) -> tuple[float, float]:
    """Return mean and variance of a row, step by step: the definition."""
    whole = len(row) // lanes * lanes
    count, mean, m2 = 0, 0.0, 0.0
    for x in row[whole:]:
        d = f32(x - mean)
        count += 1
        mean = f32(mean + divide(d, count))
        m2 = f32(m2 + f32(d * f32(x - mean)))
    for lane in range(lanes):
        added, mean_b, m2_b = _lane(row[lane:whole:lanes])
        share = divide(added, count + added) if count + added else 0.0
        d = f32(mean_b - mean)
        mean = fused(share, d, mean)
        m2 = f32(m2 + fused(f32(f32(d * d) * share), count, m2_b))
        count += added
    return mean, divide(m2, len(row))


def reference(
    row: Sequence[float],
    weight: Sequence[float] | None,
    bias: Sequence[float] | None,
    eps: float,
    lanes: int,
) -> list[float]:
    """Return the norm of one row, step by step: the definition."""
    mean, variance = moments_reference(row, lanes)
    r = divide(1, f32(math.sqrt(f32(variance + eps))))
    z = [f32(f32(x - mean) * r) for x in row]
    if weight is None:
        return z
    return [
        fused(v, w, 0 if bias is None else bias[i])
        for i, (v, w) in enumerate(zip(z, weight, strict=True))
    ]


@part(error_model="numpy")
def _join(stack: Any, counts: Any, level: Any, count: Any, mean: Any, m2: Any) -> None:
    """Join moments of all lanes into a level of the stack."""
    together = counts[level] + count
    share = np.float32(0)
    if together:
        share = np.float32(count) / np.float32(together)
    seen = np.float32(counts[level])
    for lane in range(mean.size):
        d = mean[lane] - stack[level, 0, lane]
        piece = share * d
        m2_sum = stack[level, 1, lane] + m2[lane]
        stack[level, 1, lane] = fused_multiply_add(d * seen, piece, m2_sum)
        stack[level, 0, lane] += piece
    counts[level] = together


@part(error_model="numpy")
def _lanes(row: Any, count: Any, stack: Any, counts: Any, work: Any) -> None:
    """Leave the moments of every lane, of ``count`` values each, in the stack's first level."""
    lanes, blocks = work.shape[1], (count + BLOCK - 1) // BLOCK
    levels = 1
    while (1 << levels) < blocks:
        levels += 1
    stack[:levels] = 0
    counts[:levels] = 0
    mean, m2 = work[0], work[1]
    for number in range(1, blocks + 1):
        start = (number - 1) * BLOCK
        size = min(BLOCK, count - start)
        work[:] = 0
        for j in range(size):
            step = np.float32(1) / np.float32(j + 1)
            at = (start + j) * lanes
            for lane in range(lanes):
                x = row[at + lane]
                d = x - mean[lane]
                mean[lane] = fused_multiply_add(d, step, mean[lane])
                m2[lane] = fused_multiply_add(d, x - mean[lane], m2[lane])
        _join(stack, counts, 0, size, mean, m2)
        level, carry = 1, number
        while level < levels and not carry & 1:
            _join(stack, counts, level, counts[level - 1], stack[level - 1, 0], stack[level - 1, 1])
            stack[level - 1] = 0
            counts[level - 1] = 0
            level += 1
            carry >>= 1
    for level in range(1, levels):
        _join(stack, counts, 0, counts[level], stack[level, 0], stack[level, 1])


@kernel(nogil=True, error_model="numpy")
def rows(
    x: Any, y: Any, weight: Any, bias: Any, eps: Any, stack: Any, counts: Any, work: Any
) -> None:
    """Normalize each row of x [N, C] into y; without weights they have no elements.

    ``stack`` is float32 [levels, 2, lanes], room for means and m2; ``counts`` int64 [levels];
    ``work`` float32 [2, lanes].
    """
    size, lanes = x.shape[1], work.shape[1]
    each = size // lanes
    for n in range(x.shape[0]):
        row = x[n]
        _lanes(row, each, stack, counts, work)
        count, mean, m2 = 0, np.float32(0), np.float32(0)
        for i in range(each * lanes, size):
            d = row[i] - mean
            count += 1
            mean = mean + d / np.float32(count)
            m2 = m2 + d * (row[i] - mean)
        for lane in range(lanes):
            together = count + each
            share = np.float32(0)
            if together:
                share = np.float32(each) / np.float32(together)
            d = stack[0, 0, lane] - mean
            mean = fused_multiply_add(share, d, mean)
            m2 = m2 + fused_multiply_add(d * d * share, np.float32(count), stack[0, 1, lane])
            count = together
        r = np.float32(1) / np.sqrt(m2 / np.float32(size) + eps)
        if weight.size:
            for i in range(size):
                y[n, i] = fused_multiply_add((row[i] - mean) * r, weight[i], bias[i])
        else:
            for i in range(size):
                y[n, i] = (row[i] - mean) * r


def require_eps(eps: object) -> np.float32:
    """Return eps as float32, or raise ContractError."""
    if isinstance(eps, (float, np.floating)):
        with np.errstate(over="ignore", under="ignore"):
            narrow = np.float32(eps)
        if narrow > 0 and np.isfinite(narrow):
            return narrow
    raise ContractError(
        f"eps must be a float32 number above 0, not {eps!r} (accepted: 1e-45..3e38)"
    )


def room(size: int, lanes: int) -> tuple[tuple[int, int, int], int]:
    """Return the shape of ``stack`` and the length of ``counts`` for rows of ``size`` values."""
    levels = max((-(-(size // lanes) // BLOCK) - 1).bit_length(), 1)
    return (levels, 2, lanes), levels


def float_layer_norm(
    x: FloatArray,
    weight: FloatArray | None = None,
    bias: FloatArray | None = None,
    *,
    eps: float = 1e-5,
    dims: int = 1,
    lanes: int = 8,
    ledger: Ledger | None = None,
) -> npt.NDArray[np.float32]:
    """Normalize rows.

    Args:
        x: float32 of any strides; the last ``dims`` dimensions are a row, of 1 value and more.
        weight: float32 of a row's shape, or None.
        bias: likewise; None without weight.
        eps: added to the variance; rounded to float32.
        dims: how many dimensions are a row.
        lanes: of the moments, a power of two.
        ledger: filled with the extremes of the result.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    count, narrow = require_lanes(lanes), require_eps(eps)
    values = require_floats(x, "x")
    last = require_int(dims, "dims", 1, max(values.ndim, 1))
    shape = values.shape[-last:]
    size = math.prod(shape)
    if values.ndim == 0 or size == 0:
        raise ContractError(
            f"x must have rows, not the shape {values.shape} (accepted: rows of 1 value and more)"
        )
    if weight is None and bias is not None:
        raise ContractError(
            f"bias must be None without a weight, not the shape {np.shape(bias)} "
            "(accepted: both, a weight, or none)"
        )
    tables = [
        np.zeros(0 if weight is None else size, np.float32) if table is None
        else _row(table, shape, name)
        for table, name in ((weight, "weight"), (bias, "bias"))
    ]  # fmt: skip
    table = np.ascontiguousarray(values).reshape(-1, size)
    y = np.empty_like(table)
    stack, levels = room(size, count)
    rows(
        table, y, *tables, narrow, np.empty(stack, np.float32), np.empty(levels, np.int64),
        np.empty((2, count), np.float32),
    )  # fmt: skip
    if ledger is not None:
        ledger.fill(y.size, ends_of(y), "layer_norm", f"float32, moments in {count} lanes")
    return y.reshape(values.shape)


def _row(table: FloatArray, shape: tuple[int, ...], name: str) -> npt.NDArray[np.float32]:
    array = require_floats(table, name)
    if array.shape != shape:
        raise ContractError(
            f"{name} must have the shape of a row, not {array.shape} (accepted: {shape})"
        )
    return np.ascontiguousarray(array).reshape(-1)
