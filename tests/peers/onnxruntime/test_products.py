"""ONNX Runtime's QLinearConv, QLinearMatMul, ConvInteger and MatMulInteger: equal codes.

QLinearConv:   correlation -> bias_add -> requantize(FloatScale(f32(f32(s_x * s_w) / s_y)))
QLinearMatMul: matmul -> requantize(the same)
ConvInteger, MatMulInteger: correlation, matmul; a wrapping 32-bit accumulator.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hw_models.bias_add import bias_add
from hw_models.correlation import correlation
from hw_models.formats import FixedFormat
from hw_models.matmul import matmul
from hw_models.requantize import requantize
from hw_models.schemes import FloatScale
from tests.peers.onnxruntime.models import codes, ends_or_any, run

F32 = np.float32
# MLAS multiplies u8 by s8 with vpmaddubsw before VNNI: two products must fit 16 bits there.
S8_LIMIT = 128 if torch.cpu._is_vnni_supported() else 64  # AMX comes with VNNI
PAIRS = [("uint8", "int8"), ("uint8", "uint8"), ("int8", "int8")]
CONV = {  # channels, outputs, kernel, size, stride, pads (begins, ends), dilation, groups
    "1x1": (5, 19, (1, 1), (4, 3), 1, (0, 0, 0, 0), 1, 1),
    "3x3-asymmetric": (8, 16, (3, 3), (7, 6), 1, (0, 1, 2, 1), 1, 1),
    "3x2-stride2": (3, 16, (3, 2), (9, 7), 2, (1, 1, 1, 1), 1, 1),
    "dilation2": (6, 9, (3, 3), (9, 8), 1, (2, 2, 2, 2), 2, 1),
    "groups2": (8, 12, (3, 3), (6, 6), 1, (1, 1, 1, 1), 1, 2),
    "depthwise": (16, 16, (3, 3), (7, 7), 2, (1, 1, 1, 1), 1, 16),
    "depthwise-5x5": (8, 8, (5, 5), (9, 9), 1, (2, 2, 2, 2), 1, 8),
    "multiplier2": (8, 16, (3, 3), (6, 6), 1, (1, 1, 1, 1), 1, 8),
    "1d": (6, 16, (3,), (17,), 2, (1, 2), 1, 1),
    "3d-stride2-groups2": (4, 6, (2, 3, 2), (4, 6, 5), 2, (1, 0, 1, 0, 2, 1), 1, 2),
    "3d-dilation2": (3, 17, (2, 2, 3), (5, 4, 6), 1, (0, 1, 2, 1, 0, 1), 2, 1),
    "3x3-2**24": (150, 24, (3, 3), (3, 3), 1, (0, 0, 0, 0), 1, 1),
}


def weights(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if dtype == "int8":
        return rng.integers(-S8_LIMIT, S8_LIMIT, shape).astype(np.int8)
    return codes(rng, dtype, shape)


def draw_conv(name: str, rng: np.random.Generator, dtypes: tuple[str, str]) -> tuple:
    channels, outputs, kernel, size, stride, pads, dilation, groups = CONV[name]
    x = codes(rng, dtypes[0], (2, channels, *size))
    w = weights(rng, dtypes[1], (outputs, channels // groups, *kernel))
    z_x = ends_or_any(rng, dtypes[0])
    if name.endswith("2**24"):
        info = np.iinfo(dtypes[0])
        z_x = np.array(info.min, dtypes[0])
        x[:] = info.max
        w[:] = np.maximum(np.abs(w.astype(int)), S8_LIMIT // 2).clip(max=S8_LIMIT - 1)
    n = len(kernel)
    onnx = {"strides": [stride] * n, "pads": list(pads), "dilations": [dilation] * n}
    ours = {
        "stride": stride,
        "padding": tuple(zip(pads[:n], pads[n:], strict=True)),
        "dilation": dilation,
        "groups": groups,
    }
    return x, w, z_x, {**onnx, "group": groups}, ours


def tie_scale(acc: np.ndarray, s_x: np.float32, s_y: np.float32, rng: np.random.Generator):
    """Weight scales that put one accumulator of every channel next to a tie."""
    flat = np.moveaxis(acc, 1, 0).reshape(acc.shape[1], -1).astype(np.float64)
    column = np.abs(flat[:, rng.integers(flat.shape[1])])
    half = rng.integers(0, 128, len(column)) + 0.5
    return (half * float(s_y) / (np.maximum(column, 1.0) * float(s_x))).astype(F32)


def scale(rng: np.random.Generator, acc: np.ndarray, per_channel: bool) -> tuple:
    if rng.random() < 0.3:  # exact ties
        s_x, s_y = F32(2.0 ** rng.integers(-8, -3)), F32(2.0 ** rng.integers(-5, 0))
        s_w = np.asarray(2.0 ** rng.integers(-9, -4, acc.shape[1]), F32)
    else:
        s_x, s_y = F32(rng.uniform(0.001, 0.1)), F32(rng.uniform(0.01, 0.5))
        s_w = tie_scale(acc, s_x, s_y, rng)
    return s_x, (s_w if per_channel else s_w[0]), s_y


@pytest.mark.peer(
    "ONNX Runtime",
    ["correlation", "bias_add", "requantize"],
    ["onnxruntime"],
    dtypes=("uint8", "int8"),
)
@pytest.mark.parametrize("dtypes", PAIRS, ids="-".join)
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("name", CONV)
def test_qlinear_conv(name: str, per_channel: bool, dtypes: tuple[str, str]) -> None:
    rng = np.random.default_rng(len(name) + per_channel)
    for trial in range(3):
        x, w, z_x, onnx, ours = draw_conv(name, rng, dtypes)
        # ONNX Runtime wants one weight zero point for all channels.
        z_w = np.full(w.shape[0] if per_channel else (), ends_or_any(rng, dtypes[1]))
        if trial or (dtypes[1] == "int8" and S8_LIMIT < 128):
            z_w = np.zeros_like(z_w)
        acc = correlation(x, w, x_zero_point=int(z_x), weight_zero_point=z_w, **ours)
        bias = None
        if trial != 1:
            spread = int(np.abs(acc).max()) // 2 + 1
            bias = rng.integers(-spread, spread, w.shape[0]).astype(np.int32)
            acc = bias_add(acc, bias)
        assert not name.endswith("2**24") or np.abs(acc).max() > 1 << 23
        s_x, s_w, s_y = scale(rng, acc, per_channel)
        z_y = ends_or_any(rng, dtypes[0])
        form = FixedFormat(8, signed=dtypes[0] == "int8")
        expected = requantize(acc, FloatScale(s_x * s_w / s_y), int(z_y), form)
        inputs = [x, s_x, z_x, w, s_w, z_w, s_y, z_y, bias]
        actual = run("QLinearConv", inputs, dtypes[0], **onnx)
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.peer("ONNX Runtime", ["matmul"], ["onnxruntime"], dtypes=("uint8", "uint8"))
@pytest.mark.parametrize("dtypes", PAIRS, ids="-".join)
@pytest.mark.parametrize("per_column", [False, True], ids=["tensor", "column"])
@pytest.mark.parametrize("k", [1, 7, 64, 1300])
def test_qlinear_matmul(k: int, per_column: bool, dtypes: tuple[str, str]) -> None:
    rng = np.random.default_rng(k)
    for _ in range(4):
        a, b = codes(rng, dtypes[0], (3, k)), weights(rng, dtypes[1], (k, 37))
        z_a = ends_or_any(rng, dtypes[0])
        z_b = ends_or_any(rng, dtypes[1], 37 if per_column else ())
        if dtypes[1] == "int8" and S8_LIMIT < 128:
            z_b = np.zeros_like(z_b)
        if k > 1000:
            a[:], z_a = np.iinfo(dtypes[0]).max, np.array(np.iinfo(dtypes[0]).min, dtypes[0])
            b[:] = S8_LIMIT - 1
        acc = matmul(a, b, a_zero_point=int(z_a), b_zero_point=z_b)
        s_a, s_b, s_y = scale(rng, acc, per_column)
        z_y = ends_or_any(rng, dtypes[0])
        form = FixedFormat(8, signed=dtypes[0] == "int8")
        expected = requantize(acc, FloatScale(s_a * s_b / s_y), int(z_y), form)
        inputs = [a, s_a, z_a, b, s_b, z_b, s_y, z_y]
        np.testing.assert_array_equal(run("QLinearMatMul", inputs, dtypes[0]), expected)


def test_qlinear_matmul_batched() -> None:
    """Both operands fed, three dimensions, one broadcast."""
    rng = np.random.default_rng(5)
    a, b = codes(rng, "uint8", (2, 3, 4, 9)), codes(rng, "uint8", (3, 9, 5))
    acc = matmul(a, b, a_zero_point=3, b_zero_point=250)
    form = FixedFormat(8, signed=False)
    scales = [F32(0.013), F32(0.021), F32(0.9)]
    expected = requantize(acc, FloatScale(scales[0] * scales[1] / scales[2]), 7, form)
    u8 = np.uint8
    inputs = [a, scales[0], u8(3), b, scales[1], u8(250), scales[2], u8(7)]
    np.testing.assert_array_equal(run("QLinearMatMul", inputs, "uint8", fed=(0, 3)), expected)


@pytest.mark.peer("ONNX Runtime", ["matmul"])
@pytest.mark.parametrize("dtypes", PAIRS, ids="-".join)
@pytest.mark.parametrize("k", [1, 6, 130, 2000])
def test_matmul_integer(k: int, dtypes: tuple[str, str]) -> None:
    rng = np.random.default_rng(k)
    for zeros in (False, True):
        a, b = codes(rng, dtypes[0], (2, 5, k)), weights(rng, dtypes[1], (k, 33))
        z_a, z_b = ends_or_any(rng, dtypes[0]), ends_or_any(rng, dtypes[1], 33)
        if dtypes[1] == "int8" and S8_LIMIT < 128:
            z_b = np.zeros_like(z_b)
        if not zeros:
            z_a, z_b = z_a * 0, z_b * 0
        expected = matmul(a, b, a_zero_point=int(z_a), b_zero_point=z_b)
        inputs = [a, b, z_a, z_b] if zeros else [a, b]
        actual = run("MatMulInteger", inputs, "int32", fed=(0, 1))
        assert actual.dtype == expected.dtype == np.int32
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.peer("ONNX Runtime", ["correlation"])
@pytest.mark.parametrize("name", CONV)
def test_conv_integer(name: str) -> None:
    """uint8 only: ONNX Runtime's CPU provider has no signed ConvInteger."""
    rng = np.random.default_rng(len(name))
    x, w, z_x, onnx, ours = draw_conv(name, rng, ("uint8", "uint8"))
    for zeros in (False, True):
        z_w = ends_or_any(rng, "uint8") if zeros else np.uint8(0)
        z = int(z_x) if zeros else 0
        expected = correlation(x, w, x_zero_point=z, weight_zero_point=int(z_w), **ours)
        actual = run("ConvInteger", [x, w, z_x, z_w] if zeros else [x, w], "int32", **onnx)
        np.testing.assert_array_equal(actual, expected)


def test_accumulator_wraps() -> None:
    """2**15 products of 255 * 255 and more leave int32: both wrap."""
    k = 33_100
    a, b = np.full((1, k), 255, np.uint8), np.full((k, 1), 255, np.uint8)
    assert k * 255 * 255 > 1 << 31
    expected = matmul(a, b)
    assert expected == k * 255 * 255 - (1 << 32)
    assert run("MatMulInteger", [a, b], "int32", fed=(0, 1)) == expected
