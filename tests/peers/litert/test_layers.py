"""LiteRT's layers: geometry, several inputs, reductions; equal codes by every kernel set."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.argmax import argmax
from hw_models.extremum import maximum, minimum
from hw_models.formats import FixedFormat
from hw_models.matmul import matmul
from hw_models.moves.concat import concat
from hw_models.resize import SizedResize, resize
from hw_models.transposed_correlation import transposed_correlation
from tests.peers.litert.formulas import F32, rescale
from tests.peers.litert.model import PADDINGS, Model
from tests.peers.litert.net import Net
from tests.peers.litert.replay import replay, same_padding
from tests.peers.litert.run import KERNELS, run

INT8 = (-128, 128)
CONV = {  # channels, outputs, kernel, stride, padding, dilation
    "1x1": (5, 19, 1, 1, "valid", 1),
    "3x3-stride2-same": (8, 16, 3, 2, "same", 1),
    "5x5-same": (3, 7, 5, 1, "same", 1),
    "dilation2-same": (6, 9, 3, 1, "same", 2),
    "3x3-wide": (70, 33, 3, 1, "valid", 1),
}
DEPTHWISE = {  # channels, kernel, stride, padding, multiplier
    "3x3": (19, 3, 1, "same", 1),
    "3x3-stride2": (32, 3, 2, "same", 1),
    "5x5-valid": (8, 5, 1, "valid", 1),
    "multiplier4": (3, 3, 1, "same", 4),
    "one-channel-multiplier8": (1, 3, 2, "same", 8),
}


def compare(net: Net, left_over: set[str]) -> None:
    """Every result of every kernel set; what XNNPACK does not take is ``left_over``."""
    for kernels in KERNELS:
        actual, left = run(net.model, net.x, kernels=kernels)
        assert kernels != "xnnpack" or left == left_over
        expected = replay(net.model, {net.input.name: net.x}, kernels)
        for name, codes in actual.items():
            np.testing.assert_array_equal(codes, expected[name], f"{kernels}: {name}")


@pytest.mark.peer(
    "LiteRT reference", ["correlation", "bias_add", "requantize"], ["litert-reference", "tflite"]
)
@pytest.mark.peer(
    "LiteRT optimized", ["correlation", "bias_add", "requantize"], ["litert-optimized"]
)
@pytest.mark.peer("LiteRT with XNNPACK", ["correlation", "bias_add", "requantize"], ["xnnpack"])
@pytest.mark.parametrize("ties", [False, True], ids=["random", "ties"])
@pytest.mark.parametrize("name", CONV)
def test_conv(name: str, ties: bool) -> None:
    channels, outputs, kernel, stride, padding, dilation = CONV[name]
    net = Net((2, 10, 9, channels), 1, ties=ties, per_channel=True)
    net.conv(net.input, outputs, kernel, stride, padding, dilation=dilation)
    compare(net, set())


@pytest.mark.peer(
    "LiteRT reference", ["correlation", "bias_add", "requantize"], ["litert-reference", "tflite"]
)
@pytest.mark.peer(
    "LiteRT optimized", ["correlation", "bias_add", "requantize"], ["litert-optimized"]
)
@pytest.mark.peer("LiteRT with XNNPACK", ["correlation", "bias_add", "requantize"], ["xnnpack"])
@pytest.mark.parametrize("ties", [False, True], ids=["random", "ties"])
@pytest.mark.parametrize("name", DEPTHWISE)
def test_depthwise(name: str, ties: bool) -> None:
    channels, kernel, stride, padding, multiplier = DEPTHWISE[name]
    net = Net((2, 10, 9, channels), 2, ties=ties, per_channel=True)
    net.depthwise(net.input, kernel, stride, padding, multiplier=multiplier)
    compare(net, set())


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("size", [(4, 2), (7, 7), (3, 1), (13, 11)])
def test_mean(size: tuple[int, int], keep: bool) -> None:
    for seed in range(6):
        net = Net((2, *size, 43), seed, ties=seed % 2 == 0, per_channel=False)
        net.mean(net.input, keep=keep)
        compare(net, set())


@pytest.mark.peer(
    "LiteRT reference", ["transposed_correlation", "requantize"], ["litert-reference", "tflite"]
)
@pytest.mark.peer(
    "LiteRT optimized", ["transposed_correlation", "requantize"], ["litert-optimized"]
)
@pytest.mark.peer("LiteRT with XNNPACK", ["transposed_correlation", "requantize"], ["xnnpack"])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (4, 1)])
def test_transpose_conv(kernel: int, stride: int, padding: str) -> None:
    rng = np.random.default_rng(3)
    shapes = (2, 5, 4, 6), (9, kernel, kernel, 6)
    x, weight = (rng.integers(*INT8, shape).astype(np.int8) for shape in shapes)
    z_x, z_y, bias = -17, 5, rng.integers(-9000, 9000, 9).astype(np.int32)
    size = [n * stride + (max(kernel - stride, 0) if padding == "valid" else 0) for n in (5, 4)]
    pads = [(0, 0), (0, 0)]
    if padding == "same":
        pads = [same_padding(n, kernel, stride, 1) for n in size]
    acc = transposed_correlation(
        x.transpose(0, 3, 1, 2), weight.transpose(3, 0, 1, 2), stride, tuple(pads),
        x_zero_point=z_x, output_padding=max(stride - kernel, 0),
    ).transpose(0, 2, 3, 1) + bias  # fmt: skip
    for trial in range(4):
        s_x, s_y = F32(2.0**-5), F32(2.0 ** (trial - 1))
        s_w = F32(2.0**-7) * (rng.uniform(0.5, 1, 9).astype(F32) if trial % 2 else np.ones(9, F32))
        model = Model()
        inputs = [
            model.constant(np.array((2, *size, 9), np.int32)), model.constant(weight, s_w),
            model.input(x.shape, "int8", s_x, z_x), model.constant(bias, s_x * s_w),
        ]  # fmt: skip
        output = model.tensor((2, *size, 9), "int8", s_y, z_y)
        fields = {"strideW": stride, "strideH": stride, "padding": PADDINGS[padding]}
        model.operator("TRANSPOSE_CONV", [*inputs], output, "TransposeConvOptions", **fields)
        for kernels in KERNELS:
            results, left = run(model, x, kernels=kernels)
            assert kernels != "xnnpack" or not left
            expected = rescale(acc, "TRANSPOSE_CONV", kernels, s_x, s_w, s_y, z_y, "int8")
            np.testing.assert_array_equal(results[output.name], expected, kernels)


@pytest.mark.peer(
    "LiteRT reference", ["matmul", "requantize"], ["litert-reference", "tflite", "int4"]
)
def test_batch_matmul() -> None:
    """Zero points on both sides. One scheme: the optimized kernel rounds as the reference."""
    rng = np.random.default_rng(4)
    for trial in range(6):
        a, b = (rng.integers(*INT8, s).astype(np.int8) for s in ((2, 3, 20, 7), (2, 3, 7, 13)))
        z_a, z_b, z_y = (int(z) for z in rng.integers(-100, 100, 3))
        scales = F32(2.0**-5), F32(2.0**-6), F32(2.0 ** -rng.integers(1, 4))
        if trial % 2:
            scales = F32(0.013), F32(0.021), F32(rng.uniform(0.1, 0.4))
        model = Model()
        inputs = [model.input(a.shape, "int8", scales[0], z_a),
                  model.input(b.shape, "int8", scales[1], z_b)]  # fmt: skip
        output = model.tensor((2, 3, 20, 13), "int8", scales[2], z_y)
        model.operator("BATCH_MATMUL", [*inputs], output, "BatchMatMulOptions")
        acc = matmul(a, b, a_zero_point=z_a, b_zero_point=z_b)
        for kernels in KERNELS:
            results, left = run(model, a, b, kernels=kernels)
            assert kernels != "xnnpack" or left == {"BATCH_MATMUL"}
            expected = rescale(acc, "BATCH_MATMUL", kernels, *scales, z_y, "int8")
            np.testing.assert_array_equal(results[output.name], expected, kernels)


def bilinear11(x: np.ndarray, size: tuple[int, int], rule: str) -> np.ndarray:
    """XNNPACK's bilinear: positions in float32, weights of 11 fraction bits, rounded half up."""
    for axis, (old, new) in zip((1, 2), zip(x.shape[1:3], size, strict=True), strict=True):
        corners = rule == "align_corners"
        scale = F32(old - corners) / F32(new - corners)
        place = np.arange(new).astype(F32) * scale
        if rule == "half_pixel_centers":
            place = (place + (F32(0.5) * scale - F32(0.5))).clip(0, old - 1)
        low = place.astype(int)
        weight = np.rint((place - low.astype(F32)) * 2048).astype(np.int64)
        weight = weight.reshape([-1 if k == axis else 1 for k in range(4)])
        below, above = x.take(low, axis), x.take((low + 1).clip(max=old - 1), axis)
        x = below.astype(np.int64) * 2048 + (above.astype(np.int64) - below) * weight
    return ((x + (1 << 21)) >> 22).astype(np.int8)


@pytest.mark.peer("LiteRT reference", ["resize"], ["litert-reference", "tflite", "int4"])
@pytest.mark.peer("LiteRT optimized", ["resize"], ["litert-optimized"])
@pytest.mark.parametrize("rule", ["", "align_corners", "half_pixel_centers"])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_resize(mode: str, rule: str) -> None:
    rng = np.random.default_rng(5)
    rules = {"align_corners": rule == "align_corners", "half_pixel_centers": rule[:4] == "half"}
    name, table = {
        "nearest": ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
        "bilinear": ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
    }[mode]
    for old, new in (((5, 7), (10, 14)), ((8, 6), (3, 5)), ((4, 4), (7, 9))):
        x = rng.integers(*INT8, (2, *old, 5)).astype(np.int8)
        scheme = SizedResize(new, mode, **rules)  # type: ignore[arg-type]
        expected = resize(x.transpose(0, 3, 1, 2), scheme).transpose(0, 2, 3, 1)
        model = Model()
        source = model.input(x.shape, "int8", F32(0.03), 4)
        output = model.tensor(expected.shape, "int8", F32(0.03), 4)
        fields = {"alignCorners": rules["align_corners"],
                  "halfPixelCenters": rules["half_pixel_centers"]}  # fmt: skip
        sizes = model.constant(np.array(new, np.int32))
        model.operator(name, [source, sizes], output, table, **fields)
        for kernels in KERNELS:
            results, left = run(model, x, kernels=kernels)
            if kernels == "xnnpack":
                assert bool(left) == (mode == "nearest")
                expected = expected if left else bilinear11(x, new, rule)
            np.testing.assert_array_equal(results[output.name], expected, f"{kernels} {old} {new}")


@pytest.mark.peer(
    "LiteRT reference", ["maximum"], ["litert-reference", "tflite", "int4"], name="MAXIMUM"
)
@pytest.mark.peer("LiteRT optimized", ["maximum"], ["litert-optimized"], name="MAXIMUM")
@pytest.mark.peer("LiteRT with XNNPACK", ["maximum"], ["xnnpack"], name="MAXIMUM")
@pytest.mark.peer(
    "LiteRT reference", ["minimum"], ["litert-reference", "tflite", "int4"], name="MINIMUM"
)
@pytest.mark.peer("LiteRT optimized", ["minimum"], ["litert-optimized"], name="MINIMUM")
@pytest.mark.peer("LiteRT with XNNPACK", ["minimum"], ["xnnpack"], name="MINIMUM")
@pytest.mark.peer(
    "LiteRT reference", ["argmax"], ["litert-reference", "tflite", "int4"], name="ARG_MAX"
)
@pytest.mark.peer("LiteRT optimized", ["argmax"], ["litert-optimized"], name="ARG_MAX")
@pytest.mark.peer("LiteRT with XNNPACK", ["argmax"], ["xnnpack"], name="ARG_MAX")
@pytest.mark.peer("LiteRT reference", ["concat"], name="CONCATENATION")
@pytest.mark.peer("LiteRT optimized", ["concat"], name="CONCATENATION")
@pytest.mark.peer("LiteRT with XNNPACK", ["concat"], name="CONCATENATION")
@pytest.mark.parametrize("name", ["MAXIMUM", "MINIMUM", "CONCATENATION", "ARG_MAX"])
def test_moves(name: str) -> None:
    """One scale and zero point for all operands: LiteRT refuses others."""
    rng = np.random.default_rng(6)
    shape, quants = (2, 3, 4, 10), ("int8", F32(0.05), -3)
    a, b = (rng.integers(*INT8, shape).astype(np.int8) for _ in range(2))
    model = Model()
    first, second = (model.input(shape, *quants) for _ in range(2))
    feeds = [a, b]
    if name == "CONCATENATION":
        expected = concat([a, b], axis=3)
        output = model.tensor(expected.shape, *quants)
        model.operator(name, [first, second], output, "ConcatenationOptions", axis=3)
    elif name == "ARG_MAX":
        expected = argmax(maximum(a, b), axis=3, output=FixedFormat(32))
        middle = model.tensor(shape, *quants)
        model.operator("MAXIMUM", [first, second], middle, "MaximumMinimumOptions")
        output = model.tensor(shape[:3], "int32")
        axis = model.constant(np.array(3, np.int32))
        model.operator(name, [middle, axis], output, "ArgMaxOptions", outputType=2)
    else:
        expected = {"MAXIMUM": maximum, "MINIMUM": minimum}[name](a, b)
        output = model.tensor(shape, *quants)
        model.operator(name, [first, second], output, "MaximumMinimumOptions")
    for kernels in KERNELS:
        results, _ = run(model, *feeds, kernels=kernels)
        np.testing.assert_array_equal(results[output.name], expected, kernels)
