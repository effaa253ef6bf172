"""FBGEMM without VNNI: quantized::linear_dynamic has pairs of products that saturate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hw_models as hw
from hw_models.compiled.instructions import AVX2

SHAPES = ((64, 24, 9), (7, 5, 3), (33, 40, 6), (1030, 17, 5))  # inputs, outputs, rows
SCRIPT = Path(__file__).with_name("saturating.py")


def ours(x: np.ndarray, weight: np.ndarray, last: int, product: type) -> np.ndarray:
    """Return what the chain of primitives makes, with pairs that saturate or without."""
    rule = hw.QParamsRule("fbgemm", 0, last)
    scale, zero = hw.choose_qparams(x, rule)
    q = hw.quantize(x, scale, zero, hw.FixedFormat(8, signed=False), "fbgemm")
    acc = product(q, weight)
    sums = weight.astype(np.int64).sum(1)
    return hw.dequantize_sums(acc, scale, zero, np.float32([0.5]), sums)


@pytest.mark.skipif(not AVX2, reason="FBGEMM has no such kernels for this processor")
def test_every_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    given = {}
    for depth, outputs, rows in SHAPES:
        name = f"{depth}x{outputs}"
        given[f"{name}.weight"] = random.integers(-128, 128, (outputs, depth)).astype(np.int8)
        given[f"{name}.x"] = (random.standard_normal((rows, depth)) * 3).astype(np.float32)
    np.savez(tmp_path / "given.npz", **given)
    files = [str(tmp_path / "given.npz"), str(tmp_path / "made.npz")]
    environment = os.environ | {"FBGEMM_ENABLE_INSTRUCTIONS": "AVX2"}
    subprocess.run([sys.executable, str(SCRIPT), *files], env=environment, check=True)
    made, differ = np.load(files[1]), 0
    for depth, outputs, _ in SHAPES:
        name = f"{depth}x{outputs}"
        x, weight = given[f"{name}.x"], given[f"{name}.weight"]
        pairs = ours(x, weight, 255, hw.linear_pairs)
        assert np.array_equal(pairs.view(np.int32), made[f"{name}.0"].view(np.int32))
        differ += int((pairs != ours(x, weight, 255, hw.linear)).sum())
        for product in (hw.linear_pairs, hw.linear):  # reduced ranges never saturate
            reduced = ours(x, weight, 127, product)
            assert np.array_equal(reduced.view(np.int32), made[f"{name}.1"].view(np.int32))
    assert differ > 100
