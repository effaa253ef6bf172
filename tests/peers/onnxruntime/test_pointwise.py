"""ONNX Runtime's QuantizeLinear, DequantizeLinear, QLinearAdd and pooling: equal codes and floats.

QuantizeLinear:   quantize(formula="onnx")
DequantizeLinear: dequantize
QLinearAdd:       add(FloatAdd(formula="mlas"))
QLinearGlobalAveragePool: correlation with ones -> requantize(FloatScale(f32(s_x / f32(s_y * n))))
MaxPool:          max_pool
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models.add import FloatAdd, add
from hw_models.dequantize import dequantize
from hw_models.float_requantize import FloatBias, float_requantize
from hw_models.formats import FixedFormat
from hw_models.pools.max_pool import max_pool
from hw_models.quantize import quantize
from hw_models.requantize import requantize
from hw_models.schemes import FloatScale
from tests.peers.onnxruntime.models import codes, ends_or_any, run
from tests.peers.releases import peer_version

F32 = np.float32
EIGHT = ["uint8", "int8"]
ALL = [*EIGHT, "uint16", "int16"]
BLOCKS_SATURATE = peer_version("onnxruntime") >= (1, 32)


def form(dtype: str) -> FixedFormat:
    info = np.iinfo(dtype)
    return FixedFormat(info.bits, signed=info.min < 0)


def floats(rng: np.random.Generator, shape: tuple[int, ...], s: Any, dtype: str) -> np.ndarray:
    """Halves of steps (ties), their float32 neighbours, and far-off values."""
    span = 1.5 * (1 << np.iinfo(dtype).bits)
    x = ((rng.integers(-int(span), int(span), shape) + 0.5) * s).astype(F32)
    x = np.nextafter(x, rng.choice([-np.inf, 0, np.inf], shape) * 1 + x * 0, dtype=F32)
    x.reshape(-1)[: min(x.size, 8)] = [0, -0.0, 1e30, -1e30, np.inf, -np.inf, 1e-42, -3e9][: x.size]
    return x


@pytest.mark.peer("ONNX Runtime", ["quantize"], ["onnxruntime"], dtype="uint8")
@pytest.mark.peer("ONNX Runtime", ["dequantize"])
@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("layout", ["tensor", "axis0", "axis1", "axis-1", "block"])
def test_quantize_and_dequantize(dtype: str, layout: str) -> None:
    rng = np.random.default_rng(len(dtype) + len(layout))
    shape = (6, 5, 8)
    for trial in range(6):
        ours: dict[str, Any] = {}
        onnx: dict[str, Any] = {}
        size: tuple[int, ...] = ()
        if layout == "block":
            ours, onnx = {"axis": 1, "block": 2}, {"axis": 1, "block_size": 2}
            size = (6, 3, 8)
        elif layout != "tensor":
            axis = int(layout.removeprefix("axis"))
            ours, onnx, size = {"axis": axis}, {"axis": axis}, (shape[axis],)
        s = rng.uniform(0.001, 0.5, size) if trial % 2 else 2.0 ** rng.integers(-9, 9, size)
        s = np.asarray(s, F32)
        z = ends_or_any(rng, dtype, size)
        x = floats(rng, shape, float(s.reshape(-1)[0]), dtype)
        if layout == "block" and not BLOCKS_SATURATE:  # test_exception_blocks_wrap
            x = np.clip(x, -(1 << 30) * s.min(), (1 << 30) * s.min())
        q = quantize(x, s, z, form(dtype), "onnx", **ours)
        actual = run("QuantizeLinear", [x, s, z], dtype, **onnx)
        np.testing.assert_array_equal(actual, q)
        back = run("DequantizeLinear", [q, s, z], "float32", **onnx)
        mine = dequantize(q, s, z, **ours)
        np.testing.assert_array_equal(back.view(np.uint32), mine.view(np.uint32))


def test_exception_blocks_wrap() -> None:
    """Blocks of an inner axis convert to int32 first, before 1.32: 2**31 steps give 0, not 255."""
    x = np.full((2, 2), 2.0**31, F32)
    one, zero = np.ones((1, 2), F32), np.zeros((1, 2), np.uint8)
    options = {"axis": 0, "block": 2}
    assert quantize(x, one, zero, form("uint8"), "onnx", **options).tolist() == [[255, 255]] * 2
    actual = run("QuantizeLinear", [x, one, zero], "uint8", axis=0, block_size=2)
    assert actual.tolist() == [[255, 255] if BLOCKS_SATURATE else [0, 0]] * 2
    actual = run("QuantizeLinear", [x - F32(128), one, zero], "uint8", axis=0, block_size=2)
    assert actual.tolist() == [[255, 255]] * 2


def test_dequantize_accumulator() -> None:
    """int32 codes, as after MatMulInteger: above 2**24 the conversion to float32 rounds."""
    rng = np.random.default_rng(3)
    q = rng.integers(-(1 << 31), 1 << 31, 4096).astype(np.int32)
    q[:6] = [-(1 << 31), (1 << 31) - 1, 1 << 24, (1 << 24) + 1, (1 << 24) + 3, 0]
    for s in (F32(0.013), F32(2.0**-7)):
        back = run("DequantizeLinear", [q, s], "float32")
        np.testing.assert_array_equal(back.view(np.uint32), dequantize(q, s).view(np.uint32))


@pytest.mark.peer("ONNX Runtime", ["add"], ["onnxruntime"], dtype="uint8")
@pytest.mark.parametrize("dtype", EIGHT)
@pytest.mark.parametrize("scalar_b", [False, True])
def test_qlinear_add(dtype: str, scalar_b: bool) -> None:
    rng = np.random.default_rng(7 + scalar_b)
    for trial in range(24):
        size = int(rng.choice([1, 7, 16, 33, 100, 1000]))
        a, b = codes(rng, dtype, (size,)), codes(rng, dtype, (1 if scalar_b else size,))
        z_a, z_b, z_y = (ends_or_any(rng, dtype) for _ in range(3))
        if trial % 3 == 0:
            s_a, s_b, s_y = (F32(2.0 ** rng.integers(-8, -2)) for _ in range(3))
        elif trial % 3 == 1:
            s_y = F32(rng.uniform(0.01, 0.1))
            s_a, s_b = s_y * F32(0.5), s_y * F32(1.5)
        else:
            s_a, s_b, s_y = (F32(rng.uniform(0.01, 0.1)) for _ in range(3))
        scheme = FloatAdd(float(s_a), float(s_b), float(s_y), formula="mlas")
        expected = add(a, b, scheme, int(z_a), int(z_b), int(z_y), form(dtype))
        inputs = [a, s_a, z_a, b, s_b, z_b, s_y, z_y]
        actual = run("QLinearAdd", inputs, dtype, fed=(0, 3), domain="com.microsoft")
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", EIGHT)
@pytest.mark.parametrize("channels_last", [0, 1])
def test_global_average_pool(dtype: str, channels_last: int) -> None:
    rng = np.random.default_rng(11)
    for _ in range(16):
        h, w = rng.integers(1, 12, 2)
        x = codes(rng, dtype, (2, int(rng.choice([3, 8, 33])), h, w))
        z_x, z_y = ends_or_any(rng, dtype), ends_or_any(rng, dtype)
        s_x = F32(rng.uniform(0.01, 0.1))
        s_y = s_x * F32(rng.choice([1, 0.5, 0.7, 1.3]))
        # The sum is a correlation with ones; written as NumPy's exact integer sum.
        total = (x.astype(np.int64) - int(z_x)).sum((2, 3), keepdims=True)
        scheme = FloatScale(s_x / (s_y * F32(h * w)))
        expected = requantize(total, scheme, int(z_y), form(dtype))
        fed = x.transpose(0, 2, 3, 1) if channels_last else x
        inputs = [np.ascontiguousarray(fed), s_x, z_x, s_y, z_y]
        actual = run("QLinearGlobalAveragePool", inputs, dtype, domain="com.microsoft",
                     channels_last=channels_last)  # fmt: skip
        actual = actual.transpose(0, 3, 1, 2) if channels_last else actual
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", EIGHT)
@pytest.mark.parametrize("channels_last", [0, 1])
def test_average_pool(dtype: str, channels_last: int) -> None:
    """Not integers: a float32 sum of dequantized codes, tap after tap, then a division.

    rint(f32(f32(mean / s_y) + zp)), which is FloatBias("onednn-reference") on a zero accumulator.
    """
    rng = np.random.default_rng(12)
    for trial in range(12):
        channels, kernel = int(rng.choice([3, 8, 33])), int(rng.choice([2, 3]))
        stride = int(rng.choice([1, 2]))
        x = codes(rng, dtype, (2, channels, 7, 8))
        z_x, z_y = ends_or_any(rng, dtype), ends_or_any(rng, dtype)
        s_x = F32(rng.uniform(0.01, 0.1))
        s_y = s_x if trial % 3 == 0 else s_x * F32(rng.choice([0.5, 0.7, 1.3]))
        real = dequantize(x, s_x, int(z_x))
        taps = np.lib.stride_tricks.sliding_window_view(real, (kernel, kernel), (2, 3))
        taps = taps[:, :, ::stride, ::stride]
        total = np.zeros(taps.shape[:4], F32)
        for i, j in np.ndindex(kernel, kernel):
            total += taps[..., i, j]
        mean = (total / F32(kernel * kernel)).reshape(-1)
        scheme = FloatBias("onednn-reference", 1.0, 1.0, float(s_y), mean)
        zeros = np.zeros((1, mean.size), np.int32)
        expected = float_requantize(zeros, scheme, int(z_y), form(dtype)).reshape(total.shape)
        fed = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if channels_last else x
        actual = run(
            "QLinearAveragePool", [fed, s_x, z_x, s_y, z_y], dtype, domain="com.microsoft",
            kernel_shape=(kernel, kernel), strides=(stride, stride), channels_last=channels_last,
        )  # fmt: skip
        actual = actual.transpose(0, 3, 1, 2) if channels_last else actual
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.peer("ONNX Runtime", ["max_pool"], ["onnxruntime"], dtype="uint8")
@pytest.mark.parametrize("dtype", EIGHT)
@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_max_pool(dtype: str, ceil_mode: int) -> None:
    rng = np.random.default_rng(13)
    for kernel, stride, pads, dilation in [
        ((2, 2), (2, 2), (0, 0, 0, 0), (1, 1)),
        ((3, 3), (2, 2), (1, 1, 1, 1), (1, 1)),
        ((3, 2), (1, 2), (1, 0, 2, 1), (1, 1)),
        ((2, 3), (2, 1), (0, 1, 1, 1), (2, 2)),
        ((2, 3, 2), (2, 1, 2), (0, 1, 1, 1, 1, 0), (2, 1, 1)),
    ]:
        x = codes(rng, dtype, (2, 3, *(6, 9, 10)[-len(kernel) :]))
        x[0] = np.iinfo(dtype).min  # the border must never win, nor lose a window of minima
        actual = run(
            "MaxPool", [x], dtype, kernel_shape=kernel, strides=stride, pads=pads,
            dilations=dilation, ceil_mode=ceil_mode,
        )  # fmt: skip
        padding = tuple(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True))
        expected = max_pool(x, kernel, stride, padding, dilation, ceil_mode=bool(ceil_mode))
        np.testing.assert_array_equal(actual, expected)
