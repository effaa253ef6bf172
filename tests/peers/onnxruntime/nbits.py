"""MatMulNBits of ONNX Runtime on AVX-512 with VNNI: the order of its float32 operations.

Source: what the kernels of mlas return, found by experiment; see docs/peers.md.

accuracy_level 4. Each block of a row is quantized: s = f32(max|x| / 127), and codes
rint(f32(x * f32(127 / max|x|))). A block is cut into sums of few codes, exact integers, which lie
in lanes. Each lane is multiplied with f32(s * weight scale) and added to the lane's total with one
rounding, block after block; then the lanes are added (``_fold``). The zero points are another
product: from 0 on, for each block, fma(f32(s * sum of codes), -f32(weight scale * zero point)); it
is added at the end.

accuracy_level 0 and 1. No integers: weights are f32(f32(code - zero point) * scale). Of several
rows each value is one fma after the other, k ascending. One row alone has 16 lanes, by k modulo 16.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Codes = np.ndarray[Any, np.dtype[np.int64]]
_F: Final = np.float32
# Blocks that lie in the 16 lanes at once; those that are left over have 8 lanes, or 16 from 64 on.
_AT_ONCE: Final = {16: 8, 32: 4, 64: 2}


def by_integers(x: Floats, codes: Codes, scale: Floats, zero: Codes, block: int) -> Floats:
    """Return accuracy_level 4.

    Args:
        x: rows [M, K].
        codes: weights [N, K], 0..15.
        scale: [N, K / block].
        zero: likewise, 0..15.
        block: 16, 32, 64, 128 or 256.
    """
    rows = x.reshape(len(x), -1, block)
    largest = np.abs(rows).max(-1)
    x_scale = (largest / _F(127)).astype(_F)
    inverse = np.where(largest, _F(127) / np.where(largest, largest, _F(1)), _F(0)).astype(_F)
    q = np.rint(rows * inverse[..., None]).astype(np.int64)
    products = q[:, None] * codes.reshape(len(codes), -1, block)[None]
    lanes = _lanes(products, x_scale[:, None] * scale[None], block)
    single = np.zeros(lanes.shape[:2], np.bool_)
    single[:, : len(codes) // 4 * 4] = True  # four outputs at once: their lanes fold together
    if block >= 64:
        single[: len(x) // 2 * 2] = False  # but of two rows and more each output alone
    made = np.where(single, _fold_four(lanes), _fold(lanes))
    share = np.zeros_like(made)
    sums = x_scale * q.sum(-1).astype(_F)
    for b in range(rows.shape[1]):
        share = _fma(sums[:, None, b], -(scale * zero.astype(_F))[None, :, b], share)
    return made + share


def by_floats(x: Floats, codes: Codes, scale: Floats, zero: Codes, block: int) -> Floats:
    """Return accuracy_level 0 and 1; arguments as ``by_integers`` has them."""
    depth = x.shape[1]
    weight = (codes.reshape(len(codes), -1, block) - zero[..., None]).astype(_F) * scale[..., None]
    weight = weight.reshape(-1, depth)
    if len(x) > 1:
        made = np.zeros((len(x), len(weight)), _F)
        for k in range(depth):
            made = _fma(x[:, None, k], weight[None, :, k], made)
        return made
    lanes = np.zeros((1, len(weight), 16), _F)
    for k in range(0, depth, 16):
        lanes = _fma(x[:, None, k : k + 16], weight[None, :, k : k + 16], lanes)
    together = np.arange(len(weight)) < len(weight) // 4 * 4
    return np.where(together, _fold_four(lanes), _fold(lanes))


def _fma(a: Floats, b: Floats, c: Floats) -> Floats:
    """Round once; float64 has the product, and the sum but for one in some 2**29."""
    return (a.astype(np.float64) * b.astype(np.float64) + c.astype(np.float64)).astype(_F)


def _lanes(products: Codes, factors: Floats, block: int) -> Floats:
    """Return the totals of the lanes [M, N, 16 or 8]; products are [M, N, blocks, block]."""
    lead, count = products.shape[:2], products.shape[2]
    total, b = np.zeros((*lead, 16), _F), 0
    if block >= 128:
        halves = products.reshape(*lead, -1, 2, 16, 4).sum((-3, -1))
        for part in range(halves.shape[2]):
            factor = factors[..., part * 128 // block, None]
            total = _fma(halves[:, :, part].astype(_F), factor, total)
        return total
    together = _AT_ONCE[block]
    quads = products.reshape(*lead, count, block // 4, 4).sum(-1)
    while b + together <= count:
        pairs, which = _interleaved(quads[:, :, b : b + together], block)
        total = _fma(pairs.astype(_F), factors[..., b + which], total)
        b += together
    if block == 64:
        rest = quads[:, :, b:]
    else:
        total = total[..., :8] + total[..., 8:]
        rest = products[:, :, b:].reshape(*lead, count - b, 8, block // 8).sum(-1)
    for part in range(count - b):
        total = _fma(rest[:, :, part].astype(_F), factors[..., b + part, None], total)
    return total


def _interleaved(quads: Codes, block: int) -> tuple[Codes, np.ndarray[Any, Any]]:
    """Return 16 sums of two quads each, and the block that each is of.

    Two registers of 16 quads, one with the first half of the blocks, are merged in each quarter.
    """
    lead = quads.shape[:2]
    first, second = (part.reshape(*lead, 4, 4) for part in np.split(quads, 2, axis=2))
    low = [part[..., 0] + part[..., 2] for part in (first, second)]
    high = [part[..., 1] + part[..., 3] for part in (first, second)]
    quarter = np.arange(4)[:, None]
    half = quads.shape[2] // 2
    own = quarter * half // 4  # which block of its half a quarter of a register is of
    if block == 64:
        merged, places = [low[0], low[1], high[0], high[1]], np.array([0, half, 0, half])
    else:
        merged, places = [low[0], high[0], low[1], high[1]], np.array([0, 0, half, half])
    return np.stack(merged, -1).reshape(*lead, 16), (own + places).reshape(16)


def _fold(lanes: Floats) -> Floats:
    """Add the upper half to the lower one until one lane is left."""
    while lanes.shape[-1] > 1:
        half = lanes.shape[-1] // 2
        lanes = lanes[..., :half] + lanes[..., half:]
    return lanes[..., 0]


def _fold_four(lanes: Floats) -> Floats:
    """Add four lanes that lie together, in their order; then the upper half to the lower one."""
    fours = lanes.reshape(*lanes.shape[:-1], -1, 4)
    return _fold(fours[..., 0] + fours[..., 1] + fours[..., 2] + fours[..., 3])
