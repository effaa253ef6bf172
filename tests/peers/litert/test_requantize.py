"""LiteRT's rescaling of accumulators: exact ties, their neighbours, large and small values.

The input is the zero point, so the bias *is* the accumulator, one value per output channel.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.peers.litert.formulas import F32, SCHEMES, rescale
from tests.peers.litert.model import Model, Tensor
from tests.peers.litert.net import dilations, window
from tests.peers.litert.run import KERNELS, run

KINDS = [kind for kind in SCHEMES if kind != "BATCH_MATMUL"]
SAME_SCHEME = {"CONV_2D/int16", "DEPTHWISE_CONV_2D/int16", "FULLY_CONNECTED/int16"}


def draw_scales(
    rng: np.random.Generator, trial: int, dtype: str
) -> tuple[np.float32, np.float32, np.float32]:
    """Return (s_x, s_w, s_y): powers of two, odd ratios, anything; factors below 1 and tiny."""
    s_x, s_w = F32(2.0**-5), F32(2.0**-6)
    if trial % 4 == 0:
        return s_x, s_w, F32(2.0 ** rng.integers(-9, 2))
    if trial % 4 == 1:
        return s_x, s_w, F32(rng.choice([3, 5, 6, 7, 11]) * 2.0 ** rng.integers(-9, -1))
    s_x, s_w = F32(rng.uniform(0.005, 0.1)), F32(rng.uniform(0.001, 0.01))
    factor = rng.uniform(0.001, 0.9) if trial % 4 == 2 else rng.uniform(1, 30) * 2.0**-27
    if dtype == "int16" and trial % 4 == 3:
        factor *= 256
    return s_x, s_w, F32(s_x * s_w / F32(factor))


def accumulators(rng: np.random.Generator, factor: float, dtype: str) -> np.ndarray:
    """Return accumulators on and beside ties of either sign, and some anywhere."""
    limit = np.iinfo(dtype).max * 1.2
    ties = np.round((rng.integers(-limit, limit, 200) + 0.5) / factor)
    sides = np.concatenate([ties - 1, ties, ties + 1, rng.integers(-20000, 20000, 60), [0]])
    return np.unique(sides.clip(-(2.0**31) + 1, 2.0**31 - 1).astype(np.int64))


def one_operator(
    kind: str, acc: np.ndarray, scales: tuple, zeros: tuple[int, int], *, per_channel: bool
) -> tuple[Model, Tensor, np.ndarray]:
    """Return a model whose every output pixel is ``acc``, its output, and its input."""
    name, *widths = kind.split("/")
    dtype, n = widths[0] if widths else "int8", len(acc)
    s_x, s_w, s_y = scales
    model, s_w = Model(), np.full(n, s_w) if per_channel else s_w
    size = (1, 1) if name == "FULLY_CONNECTED" else (1, 4, 4, n if name[0] == "D" else 1)
    x = model.input(size, dtype, s_x, zeros[0])
    narrow = dtype == "int8" or widths[1:] == ["int32"]
    bias = model.constant(acc.astype(np.int32 if narrow else np.int64), s_x * s_w)
    ones = {
        "CONV_2D": ((n, 3, 3, 1), 0), "DEPTHWISE_CONV_2D": ((1, 3, 3, n), 3),
        "TRANSPOSE_CONV": ((n, 3, 3, 1), 0), "FULLY_CONNECTED": ((n, 1), 0),
    }  # fmt: skip
    shape, axis = ones[name]
    weight = model.constant(np.ones(shape, np.int8), s_w, axis=axis)
    wide = {"CONV_2D": (1, 2, 2, n), "TRANSPOSE_CONV": (1, 9, 9, n), "FULLY_CONNECTED": (1, n)}
    output = model.tensor(wide.get(name, (1, 2, 2, n)), dtype, s_y, zeros[1])
    inputs: list[Tensor | None] = [x, weight, bias]
    fields = window(1, "valid") | dilations(1)
    options = {"CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D"}.get(name)
    if name == "FULLY_CONNECTED":
        options, fields = "FullyConnected", {}
    if name == "TRANSPOSE_CONV":
        sizes = model.constant(np.array(output.shape, np.int32))
        inputs = [sizes, weight, x, bias]
        options, fields = "TransposeConv", window(2, "valid")
    if name == "DEPTHWISE_CONV_2D":
        fields["depthMultiplier"] = 1
    if len(widths) == 2:
        fields["quantizedBiasType"] = 2  # TensorType.INT32
    model.operator(name, inputs, output, f"{options}Options", **fields)
    return model, output, np.full(size, zeros[0], dtype)


@pytest.mark.peer(
    "LiteRT reference", ["requantize"], ["litert-reference", "tflite", "int4"], kind="CONV_2D"
)
@pytest.mark.peer("LiteRT optimized", ["requantize"], ["litert-optimized"], kind="CONV_2D")
@pytest.mark.peer("LiteRT with XNNPACK", ["requantize"], ["xnnpack"], kind="CONV_2D")
@pytest.mark.peer(
    "LiteRT reference", ["requantize_linear"], ["litert-reference"], kind="FULLY_CONNECTED"
)
@pytest.mark.peer("LiteRT reference", ["requantize"], ["tflite-int16x8"], kind="CONV_2D/int16")
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("kind", KINDS)
def test_accumulators(kind: str, per_channel: bool) -> None:
    rng = np.random.default_rng(len(kind) + per_channel)
    dtype = "int16" if "int16" in kind else "int8"
    different: set[tuple[str, str]] = set()
    for trial in range(8):
        s_x, s_w, s_y = scales = draw_scales(rng, trial, dtype)
        zeros = (0, 0)
        if dtype == "int8":
            zeros = int(rng.integers(-128, 128)), int(rng.integers(-128, 128))
        acc = accumulators(rng, float(s_x) * float(s_w) / float(s_y), dtype)
        model, output, x = one_operator(kind, acc, scales, zeros, per_channel=per_channel)
        got = {}
        for kernels in KERNELS:
            results, left_over = run(model, x, kernels=kernels)
            if kernels == "xnnpack":
                assert bool(left_over) == (dtype == "int16")
            got[kernels] = results[output.name].reshape(-1, len(acc))
            weights = np.full(len(acc), s_w) if per_channel else s_w
            expected = rescale(acc[None], kind, kernels, s_x, weights, s_y, zeros[1], dtype)
            np.testing.assert_array_equal(
                got[kernels], np.broadcast_to(expected, got[kernels].shape), f"{kernels} {scales}"
            )
        pairs = [("reference", "optimized"), ("optimized", "xnnpack"), ("reference", "xnnpack")]
        different |= {(a, b) for a, b in pairs if (got[a] != got[b]).any()}
    # These inputs tell the three sets apart wherever they are three.
    sets = 0 if kind in SAME_SCHEME else 2 if dtype == "int16" else 3
    assert len(different) == sets
