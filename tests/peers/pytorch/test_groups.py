"""torch's products of weights of 4 bits in groups, with operands quantized at run time: equal bits.

The kernel is the one that torch has for every processor; on ARM it calls KleidiAI, which has an
order of its own.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import pytest
import torch

import hw_models as hw

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="another kernel serves this processor"
)


def quantized(x: np.ndarray) -> tuple[Any, Any, Any]:
    """Return codes, scales and zero points of rows, as that kernel chooses them."""
    one, low, high = np.float32(1), np.float32(-128), np.float32(127)
    least, most = (np.minimum(x.min(1), 0), np.maximum(x.max(1), 0))
    factor = np.where(least == most, one, np.float32(255) / (most - least)).astype(np.float32)
    down, up = least * factor, most * factor
    point = np.where((low + down) + (high + up) > 0, low - down, high - up)
    zero = np.rint(np.clip(point, low, high)).astype(np.int64)
    ratio = x * factor[:, None]
    whole = np.copysign(np.floor(np.abs(ratio.astype(np.float64)) + 0.5), ratio)
    codes = np.clip(whole.astype(np.int64) + zero[:, None], -128, 127)
    return codes, (one / factor)[:, None], zero[:, None]


@pytest.mark.parametrize(
    ("rows", "depth", "outputs", "size"),
    [(3, 64, 8, 32), (5, 128, 16, 64), (4, 256, 24, 32), (2, 512, 8, 256)],
)
def test_every_bit(rows: int, depth: int, outputs: int, size: int) -> None:
    random = np.random.default_rng(depth)
    weight = random.integers(0, 16, (outputs, depth), np.uint8)
    scales = random.random((outputs, depth // size), np.float32) + np.float32(0.01)
    x = (random.standard_normal((rows, depth)) * 2).astype(np.float32)
    bytes_ = torch.from_numpy(weight[:, 1::2] << 4 | weight[:, ::2])
    packed = torch.ops.aten._dyn_quant_pack_4bit_weight(
        bytes_, torch.from_numpy(scales), None, size, depth, outputs
    )
    theirs = torch.ops.aten._dyn_quant_matmul_4bit(
        torch.from_numpy(x), packed, size, depth, outputs
    ).numpy()
    codes, scale, zero = quantized(x)
    ours = hw.linear_groups(codes, weight.astype(np.int64) - 8, scale, zero, scales)
    assert np.array_equal(ours.view(np.int32), theirs.view(np.int32))
    other = hw.linear_groups(codes, weight.astype(np.int64) - 8, scale, zero, scales, order="group")
    assert depth == size or not np.array_equal(ours, other)
