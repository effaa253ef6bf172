"""torch's quantize, dequantize, add and pooling of quantized tensors: equal codes and floats.

quantized_decomposed.quantize_*: quantize(formula="torch"); dequantize_*: dequantize
quantize_per_tensor to 8 bits:  rint(fma(x, f32(1 / s), zp)), FloatBias("fbgemm-tensor") on acc = zp
quantize_per_tensor to qint32:  rint(f32(f32(x * f32(1 / s)) + zp)), FloatBias("onednn") on acc = 0
quantized.add:                  add(FloatAdd(formula="torch_quantized")); rows of less than a vector
                                rint(f32(f32(sum * f32(1 / s)) + zp)); qnnpack: MultiplierAdd
max_pool2d:  max_pool
avg_pool2d:  avg_pool(rounding="half_even") where f32(1 / n) divides exactly enough: mean_codes()
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers torch.ops.quantized_decomposed
from torch.nn import functional

from hw_models.add import FloatAdd, MultiplierAdd, add
from hw_models.dequantize import dequantize
from hw_models.float_requantize import FloatBias, FloatBiasKind, float_requantize
from hw_models.formats import FixedFormat
from hw_models.pools.avg_pool import avg_pool
from hw_models.pools.max_pool import max_pool
from hw_models.quantize import quantize
from hw_models.requantize import requantize
from hw_models.schemes import FloatScale
from tests.peers.pytorch.layers import ENGINES, quantized_tensor

pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.quantize_per_tensor, torch.quantize_per_channel and other:UserWarning"
)
engines = pytest.mark.parametrize("engine", ENGINES, indirect=True)
F32 = np.float32
QUANTIZED = {"uint8": torch.quint8, "int8": torch.qint8, "int32": torch.qint32}
# torch's own vector kernels, AVX512 and AVX2 alike, take so many codes at a time and leave the rest
# to another formula; without AVX2 there is only the other (ATEN_CPU_CAPABILITY=default shows it).
VECTORS = torch.backends.cpu.get_cpu_capability() in ("AVX512", "AVX2")


def whole(size: int, vector: int) -> int:
    """How many of the codes the vector kernels take."""
    return size // vector * vector if VECTORS else 0


def form(dtype: str) -> FixedFormat:
    info = np.iinfo(dtype)
    return FixedFormat(info.bits, signed=info.min < 0)


def draw_zero(rng: np.random.Generator, dtype: str) -> int:
    info = np.iinfo(dtype if dtype != "int32" else "int16")
    return int(rng.choice([info.min, info.max, rng.integers(info.min, info.max + 1)]))


def draw_scale(rng: np.random.Generator) -> float:
    power = rng.random() < 0.4
    return float(F32(2.0 ** rng.integers(-9, 4) if power else rng.uniform(0.001, 0.5)))


def ties(rng: np.random.Generator, size: int, s: float) -> np.ndarray:
    """Halves of steps and their float32 neighbours, zeros, far-off values and infinities."""
    x = ((rng.integers(-400, 400, size) + 0.5) * s).astype(F32)
    toward = rng.choice([-np.inf, np.inf], size)
    x = np.where(rng.random(size) < 0.5, x, np.nextafter(x, toward)).astype(F32)
    ends = np.array([0, -0.0, 1e6, -1e6, 1e-42], F32)
    if size > 30:
        x[: len(ends)] = ends
    return x


def elements(kind: FloatBiasKind, acc: np.ndarray, s: np.ndarray, s_y: float, bias: np.ndarray,
             zero: int, out: FixedFormat) -> np.ndarray:  # fmt: skip
    """float_requantize with a bias of its own for every element."""
    scheme = FloatBias(kind, float(s), 1.0, s_y, bias)
    return float_requantize(acc[None, :], scheme, zero, out)[0]


@engines
@pytest.mark.parametrize("dtype", QUANTIZED)
def test_quantize_per_tensor(engine: str, dtype: str) -> None:
    rng = np.random.default_rng(len(dtype))
    out = form(dtype)
    for size in (1, 15, 64, 100, 1000):
        for _ in range(6):
            s, z = draw_scale(rng), draw_zero(rng, dtype)
            x = ties(rng, size, s)
            q = torch.quantize_per_tensor(torch.from_numpy(x), s, z, QUANTIZED[dtype])
            kind: FloatBiasKind = "onednn" if dtype == "int32" else "fbgemm-tensor"
            acc = np.full(size, 0 if dtype == "int32" else z)
            zero = z if dtype == "int32" else 0
            # fbgemm-tensor: f32(s / s_y) must be 1, so that rint(fma(x, f32(1 / s), acc)) is left.
            expected = elements(kind, acc, F32(s), s, x, zero, out)
            np.testing.assert_array_equal(q.int_repr().numpy(), expected)
            back = q.dequantize().numpy()
            if dtype == "int32":
                np.testing.assert_array_equal(back, dequantize(expected, s, z))


@pytest.mark.peer("PyTorch", ["quantize"], ["pytorch"], dtype="uint8", axis=None)
@pytest.mark.peer("PyTorch", ["dequantize"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_decomposed(dtype: str, axis: int | None) -> None:
    """The operators of a PT2E graph, any quant_min and quant_max."""
    rng = np.random.default_rng(len(dtype) + 3)
    ops = torch.ops.quantized_decomposed
    shape = (4, 5, 6)
    for bits in (8, 4, 1) if dtype != "int16" else (16, 12):
        out = FixedFormat(bits, signed=dtype != "uint8")
        for _ in range(4):
            n = 1 if axis is None else shape[axis]
            s = np.array([draw_scale(rng) for _ in range(n)])
            z = rng.integers(out.min, out.max + 1, n)
            x = ties(rng, 120, float(s[0])).reshape(shape)
            t, limits = torch.from_numpy(x), (out.min, out.max, getattr(torch, dtype))
            if axis is None:
                parameters: tuple[Any, ...] = (float(s[0]), int(z[0]))
                q = ops.quantize_per_tensor(t, *parameters, *limits)
                back = ops.dequantize_per_tensor(q, *parameters, *limits)
                mine = quantize(x, s[0], z[0], out, "torch")
                real = dequantize(mine, s[0], z[0])
            else:
                # Observers hand over float32 scales.
                parameters = (torch.from_numpy(s.astype(F32)), torch.from_numpy(z), axis)
                q = ops.quantize_per_channel(t, *parameters, *limits)
                back = ops.dequantize_per_channel(q, *parameters, *limits)
                mine = quantize(x, s, z, out, "torch", axis=axis)
                real = dequantize(mine, s, z, axis=axis)
            np.testing.assert_array_equal(q.numpy(), mine)
            np.testing.assert_array_equal(back.numpy(), real)


def add_tail(a: np.ndarray, b: np.ndarray, s: tuple[Any, ...], z: tuple[int, ...], clamp: Any,
             out: FixedFormat) -> np.ndarray:  # fmt: skip
    """What torch computes after the last whole vector: the zero point before the rounding."""
    offset = a.astype(np.int64) - z[0]
    scheme = FloatBias("onednn", float(s[0]), 1.0, float(s[2]), dequantize(b, s[1], z[1]))
    return float_requantize(offset[None, :], scheme, z[2], out, clamp)[0]


@pytest.mark.peer("PyTorch", ["add"], ["pytorch"], engine="fbgemm", dtype="uint8")
@pytest.mark.peer("PyTorch QNNPACK", ["add"], engine="qnnpack", dtype="uint8")
@engines
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("relu", [False, True])
def test_add(engine: str, dtype: str, relu: bool) -> None:
    rng = np.random.default_rng(17 + relu)
    out = form(dtype)
    operator = torch.ops.quantized.add_relu if relu else torch.ops.quantized.add
    for trial in range(48):
        # Vectors without FMA (no AVX2) are docs/peers.md's one uncompared corner.
        size = int(rng.choice([1, 7, 63, 64, 65, 128, 200, 1000] if VECTORS else [1, 7, 63]))
        a, b = (rng.integers(out.min, out.max + 1, size).astype(dtype) for _ in range(2))
        z = tuple(draw_zero(rng, dtype) for _ in range(3))
        if trial % 3 == 0:
            s = tuple(F32(2.0 ** rng.integers(-8, -2)) for _ in range(3))
        elif trial % 3 == 1:
            step = F32(rng.uniform(0.01, 0.1))
            s = (step * F32(0.5), step * F32(1.5), step)
        else:
            s = tuple(F32(rng.uniform(0.01, 0.1)) for _ in range(3))
        if relu and engine == "qnnpack":
            z = (*z[:2], min(z[2], out.max - 1))  # it refuses the empty range 255..255
        operands = quantized_tensor(a, s[0], z[0]), quantized_tensor(b, s[1], z[1])
        actual = operator(*operands, float(s[2]), z[2]).int_repr().numpy()
        clamp = (z[2], out.max) if relu else None
        scales = [float(v) for v in s]
        if engine == "qnnpack" and dtype == "uint8":
            expected = add(a, b, MultiplierAdd.from_scales(*scales), *z, out, clamp)
        else:
            expected = add(a, b, FloatAdd(*scales, formula="torch_quantized"), *z, out, clamp)
            tail = slice(whole(size, 64), size)
            if tail.start < size:
                expected[tail] = add_tail(a[tail], b[tail], s, z, clamp, out)
        np.testing.assert_array_equal(actual, expected)


def draw_image(
    rng: np.random.Generator, dtype: str, channels: int
) -> tuple[np.ndarray, float, int]:
    x = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, (2, channels, 7, 8))
    return x.astype(dtype), float(F32(rng.uniform(0.01, 0.1))), draw_zero(rng, dtype)


layouts = pytest.mark.parametrize("layout", ["contiguous_format", "channels_last"])


@pytest.mark.peer("PyTorch", ["max_pool"], ["pytorch"], engine="fbgemm", dtype="uint8")
@engines
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@layouts
def test_max_pool(engine: str, dtype: str, layout: str) -> None:
    rng = np.random.default_rng(23)
    for kernel, stride, padding, dilation, ceil_mode in [
        (2, 2, 0, 1, False), (3, 2, 1, 1, False), (3, 1, 1, 1, True), (2, 3, 1, 2, True),
    ]:  # fmt: skip
        x, s, z = draw_image(rng, dtype, int(rng.choice([3, 16, 70])))
        t = quantized_tensor(x, s, z).contiguous(memory_format=getattr(torch, layout))
        if ceil_mode and engine == "qnnpack" and dtype == "uint8":
            ceil_mode = False  # QNNPACK refuses it
        y = functional.max_pool2d(t, kernel, stride, padding, dilation, ceil_mode)
        if dilation > 1 and engine == "qnnpack" and dtype == "uint8":
            # A tap outside reads the nearest pixel, which a dilated window does not contain.
            x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="edge")
            padding = 0
        expected = max_pool(x, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
        np.testing.assert_array_equal(y.int_repr().numpy(), expected)


@pytest.mark.peer(
    "PyTorch", ["avg_pool"], ["pytorch"], engine="fbgemm", dtype="uint8", layout="contiguous_format"
)
@engines
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@layouts
def test_avg_pool(engine: str, dtype: str, layout: str) -> None:
    """Rows of 16 channels, if last, are centred on the zero point; all else rounds the raw mean."""
    rng = np.random.default_rng(29)
    for _ in range(24):
        x, s, z = draw_image(rng, dtype, int(rng.choice([3, 16, 64, 70])))
        kernel, stride = int(rng.choice([2, 3, 4])), int(rng.choice([1, 2]))
        padding, include = int(rng.integers(2)), bool(rng.integers(2))
        t = quantized_tensor(x, s, z).contiguous(memory_format=getattr(torch, layout))
        qnnpack = engine == "qnnpack" and dtype == "uint8"
        if qnnpack:
            include = True  # QNNPACK always divides by the whole kernel
        y = functional.avg_pool2d(t, kernel, stride, padding, False, include)
        options = {"rounding": "half_even", "count_include_pad": include, "zero_point": z}
        raw = avg_pool(x, kernel, stride, padding, **options)
        centred = avg_pool(x, kernel, stride, padding, **options, centered=True)
        rows = whole(x.shape[1], 16) if layout == "channels_last" else 0
        rows = x.shape[1] if qnnpack else rows
        expected = np.concatenate([centred[:, :rows], raw[:, rows:]], axis=1)
        np.testing.assert_array_equal(y.int_repr().numpy(), expected)


def mean_codes(path: str, x: np.ndarray, s: float, z: int, out: FixedFormat) -> np.ndarray:
    """Mean over the last two dimensions of [N, C, H, W], by one of torch's five formulas.

    ``m = f32(1 / n)``, ``sum`` of the codes, ``offset = sum - n * zp``::

        qnnpack   rint(f32(offset * f32(s / f32(s * n)))) + zp
        rows      rint(f32(offset * m)) + zp
        fused     rint(fma(offset, m, zp))
        offset    rint(f32(f32(offset * m) + zp))
        raw       rint(f32(sum * m))
    """
    n = x.shape[2] * x.shape[3]
    raw = x.astype(np.int64).sum((2, 3))
    m, offset = F32(1) / F32(n), raw - n * z
    match path:
        case "qnnpack":
            return requantize(offset, FloatScale(F32(s) / (F32(s) * F32(n))), z, out)
        case "rows":
            return requantize(offset, FloatScale(m), z, out)
        case "raw":
            return requantize(raw, FloatScale(m), 0, out)
        case "offset":
            return float_requantize(offset, FloatBias("onednn", 1.0, float(m), 1.0), z, out)
    if not offset.size:
        return offset.astype(out.dtype)
    flat = offset.reshape(-1).astype(F32)
    codes = elements("fbgemm-tensor", np.full(flat.size, z), F32(n), float(n), flat, 0, out)
    return codes.reshape(offset.shape)


def windows(n: int, parts: int) -> list[slice]:
    """Adaptive pooling's windows: from the floor of the start to the ceiling of the end."""
    return [slice(i * n // parts, -(-(i + 1) * n // parts)) for i in range(parts)]


# Which formula: whole rows of 16 channels, if channels lie last, and the channels that are left.
PATHS = {
    ("avg", "contiguous_format"): ("offset", "offset"),
    ("avg", "channels_last"): ("rows", "offset"),
    ("adaptive", "contiguous_format"): ("raw", "raw"),
    ("adaptive", "channels_last"): ("fused", "offset"),
}


@engines
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@layouts
@pytest.mark.parametrize("operator", ["avg", "adaptive"])
def test_mean_multiplies(engine: str, dtype: str, layout: str, operator: str) -> None:
    """Windows of 14, 26, 28, 30 codes, over which f32(1 / n) is not a division, and uneven ones."""
    rng = np.random.default_rng(31)
    out = form(dtype)
    for kernel in [(2, 7), (2, 13), (4, 7), (5, 6), (3, 3)]:
        for parts in [(1, 1), (2, 3)]:
            uneven = operator == "adaptive" and kernel == (3, 3)
            height, width = (k * p + uneven for k, p in zip(kernel, parts, strict=True))
            channels = int(rng.choice([2, 16, 64, 70]))
            x = rng.integers(out.min, out.max + 1, (2, channels, height, width)).astype(dtype)
            s, z = draw_scale(rng), draw_zero(rng, dtype)
            t = quantized_tensor(x, s, z).contiguous(memory_format=getattr(torch, layout))
            if operator == "avg":
                y = functional.avg_pool2d(t, kernel).int_repr().numpy()
            else:
                y = functional.adaptive_avg_pool2d(t, parts).int_repr().numpy()
            paths = PATHS[operator, layout]
            even = height % parts[0] == 0 and width % parts[1] == 0
            if engine == "qnnpack" and dtype == "uint8" and even:
                paths = ("qnnpack", "qnnpack")
            rows = whole(channels, 16)
            expected = np.empty(y.shape, dtype)
            for i, row in enumerate(windows(height, parts[0])):
                for j, column in enumerate(windows(width, parts[1])):
                    part = x[:, :, row, column]
                    expected[:, :rows, i, j] = mean_codes(paths[0], part[:, :rows], s, z, out)
                    expected[:, rows:, i, j] = mean_codes(paths[1], part[:, rows:], s, z, out)
            np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("engine", [e for e in ENGINES if e == "qnnpack"], indirect=True)
def test_exception_qnnpack_dilated_max_pool(engine: str) -> None:
    """The smallest case: taps 0 and 2 of three pixels, one before the image: 9 is not one."""
    x = np.array([[[[9, 1]]]], np.uint8)
    t = quantized_tensor(x, 1.0, 0)
    y = functional.max_pool2d(t, (1, 2), 1, (0, 1), (1, 2)).int_repr().numpy()
    assert max_pool(x, (1, 2), 1, ((0, 0), (1, 1)), (1, 2)).tolist() == [[[[1, 9]]]]
    assert y.tolist() == [[[[9, 9]]]]


@engines
def test_exception_average_multiplies(engine: str) -> None:
    """The mean is the sum times f32(1 / n), which is no division: 169 / 26 is 6.5, and gives 7."""
    n, total = 26, 169
    assert total / n == 6.5  # half even: 6
    assert F32(total) * (F32(1) / F32(n)) > 6.5
    x = np.zeros((1, 1, 2, 13), np.uint8)
    x.reshape(-1)[0] = total
    t = quantized_tensor(x, 1.0, 0)
    y = functional.avg_pool2d(t, (2, 13)).int_repr().numpy()
    assert avg_pool(x, (2, 13), rounding="half_even") == 6
    assert y == 7
