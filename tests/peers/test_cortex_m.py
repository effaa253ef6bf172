"""ExecuTorch's Cortex-M operators, where they are integers: equal codes.

Its Python operators simulate CMSIS-NN: int32 sums, then ``arm_nn_requantize``, which is
``FixedPoint("double")`` with ``right_shift = 31 - shift``.

* quantized_conv2d, quantized_depthwise_conv2d, quantized_linear: correlation or linear, bias_add,
  requantize. quantized_transpose_conv2d and quantized_batch_matmul sum in float32, which is exact
  below 2**24.
* quantized_add: add(ShiftedAdd), left shift 20. quantized_mul: mul.
* quantized_activation: lookup. minimum, maximum, pad, quantized_max_pool2d: the same names.
* Not compared: softmax, quantized_avg_pool2d and quantized_div are float32 inside, and no integer
  kernel stands behind their Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import hw_models as hw
from tests.peers.onnxruntime.models import codes, ends_or_any

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore:.*:DeprecationWarning")
EIGHT = hw.FixedFormat(8)
NOTHING = torch.empty(0, dtype=torch.int8)


@pytest.fixture(scope="module")
def ops() -> Any:
    # The operators and the passes import each other, and can only be entered from this side.
    import executorch.backends.cortex_m.passes  # noqa: F401

    return torch.ops.cortex_m


def int8(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return codes(rng, "int8", shape)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def rescale(
    rng: np.random.Generator, bound: int, size: int | None = None
) -> tuple[hw.FixedPoint, list[int], list[int]]:
    """A scheme that brings values up to bound near 8 bits; and the peer's numbers for it.

    Every third multiplier is a power of two, so that ties occur.
    """
    count = 1 if size is None else size
    multipliers = rng.integers(1 << 30, 1 << 31, count)
    multipliers[rng.random(count) < 0.35] = 1 << 30
    middle = int(bound).bit_length() - 8
    shifts = np.clip(rng.integers(middle - 2, middle + 3, count), -6, 24)
    numbers = multipliers.tolist(), (-shifts).tolist()
    rights = (31 + shifts).tolist()
    if size is None:
        return hw.FixedPoint(numbers[0][0], rights[0]), *numbers
    return hw.FixedPoint(tuple(numbers[0]), tuple(rights)), *numbers


def zeros(rng: np.random.Generator, count: int) -> list[int]:
    return [int(ends_or_any(rng, "int8")) for _ in range(count)]


def limits(rng: np.random.Generator) -> tuple[int, int]:
    return sorted(rng.integers(-128, 128, 2).tolist()) if rng.random() < 0.4 else (-128, 127)


def same(actual: torch.Tensor, expected: np.ndarray) -> None:
    assert actual.dtype == torch.int8
    np.testing.assert_array_equal(actual.numpy(), expected)


# No dilation: the peer hands int32 to torch, whose dilated convolution has no integers.
CONV = {  # channels, outputs, kernel, stride, padding, dilation, groups
    "3x3": (6, 8, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "1x1": (16, 5, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "strided": (3, 7, (3, 2), (2, 1), (1, 0), (1, 1), 1),
    "groups2": (8, 6, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "depthwise": (8, 8, (3, 3), (2, 2), (1, 1), (1, 1), 8),
    "multiplier2": (5, 10, (3, 3), (1, 1), (1, 1), (1, 1), 5),
}


@pytest.mark.peer(
    "ExecuTorch Cortex-M", ["correlation", "bias_add", "requantize"], ["cmsis-nn", "tflite"]
)
@pytest.mark.parametrize("name", CONV)
def test_convolution(name: str, ops: Any) -> None:
    channels, outputs, kernel, stride, padding, dilation, groups = CONV[name]
    rng = np.random.default_rng(len(name))
    for trial in range(6):
        x, w = int8(rng, 2, channels, 8, 7), int8(rng, outputs, channels // groups, *kernel)
        z_x, z_y = zeros(rng, 2)
        layout = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        acc = hw.correlation(x, w, x_zero_point=z_x, **layout)
        bias = rng.integers(-30000, 30000, outputs).astype(np.int32) if trial else None
        total = acc if bias is None else hw.bias_add(acc, bias)
        scheme, multipliers, shifts = rescale(rng, int(np.abs(total).max()), outputs)
        clamp = limits(rng)
        expected = hw.requantize(total, scheme, z_y, EIGHT, clamp)
        given = None if bias is None else tensor(bias)
        numbers = torch.tensor(multipliers), torch.tensor(shifts)
        rest = -z_x, z_y, *numbers, *clamp, NOTHING
        if groups == channels:
            weight = tensor(w.transpose(1, 2, 3, 0))  # 1, H, W, O
            actual = ops.quantized_depthwise_conv2d(
                tensor(x), weight, given, stride, padding, dilation, outputs // channels, *rest
            )
        else:
            weight = tensor(w.transpose(0, 2, 3, 1))  # O, H, W, C
            actual = ops.quantized_conv2d(
                tensor(x), weight, given, stride, padding, dilation, *rest
            )
        same(actual, expected)


@pytest.mark.peer("ExecuTorch Cortex-M", ["transposed_correlation"], ["cmsis-nn", "tflite"])
@pytest.mark.parametrize(
    ("stride", "padding", "more", "dilation"),
    [((1, 1), (0, 0), (0, 0), (1, 1)), ((2, 2), (1, 1), (1, 0), (1, 1)),
     ((3, 2), (0, 1), (2, 1), (1, 2))],
)  # fmt: skip
def test_transposed_convolution(
    stride: Any, padding: Any, more: Any, dilation: Any, ops: Any
) -> None:
    rng = np.random.default_rng(stride[0])
    for _ in range(4):
        x, w = int8(rng, 2, 5, 6, 4), int8(rng, 5, 7, 3, 2)
        z_x, z_y = zeros(rng, 2)
        layout = {"stride": stride, "padding": padding, "dilation": dilation}
        acc = hw.transposed_correlation(x, w, output_padding=more, x_zero_point=z_x, **layout)
        bias = rng.integers(-30000, 30000, 7).astype(np.int32)
        total = hw.bias_add(acc, bias)
        assert np.abs(total).max() < 1 << 24
        scheme, multipliers, shifts = rescale(rng, int(np.abs(total).max()), 7)
        clamp = limits(rng)
        actual = ops.quantized_transpose_conv2d(
            tensor(x), tensor(w.transpose(1, 2, 3, 0)), tensor(bias), stride, padding, more,
            dilation, -z_x, z_y, torch.tensor(multipliers), torch.tensor(shifts), *clamp, NOTHING,
            NOTHING,
        )  # fmt: skip
        same(actual, hw.requantize(total, scheme, z_y, EIGHT, clamp))


@pytest.mark.peer("ExecuTorch Cortex-M", ["linear", "requantize"], ["cmsis-nn", "tflite"])
@pytest.mark.parametrize("form", ["bias", "none", "kernel_sum"])
@pytest.mark.parametrize("k", [1, 33, 500])
def test_linear(k: int, form: str, ops: Any) -> None:
    """Two ways to the same sum: bias beside offset codes, or raw codes beside a prepared sum."""
    rng = np.random.default_rng(k)
    for _ in range(4):
        x, w = int8(rng, 2, 3, k), int8(rng, 9, k)
        z_x, z_w, z_y = zeros(rng, 3)
        total = hw.linear(x, w, x_zero_point=z_x, weight_zero_point=z_w)
        bias = rng.integers(-90000, 90000, 9).astype(np.int32)
        if form != "none":
            total = hw.bias_add(total, bias, axis=-1)
        scheme, multipliers, shifts = rescale(rng, int(np.abs(total).max()))
        low, high = limits(rng)
        expected = hw.requantize(total, scheme, z_y, EIGHT, (low, high))
        prepared = (bias - z_x * (w.astype(np.int32) - z_w).sum(1)).astype(np.int32)
        given = (
            tensor(bias) if form == "bias" else None,
            tensor(prepared[None]) if form == "kernel_sum" else None,
        )
        rest = -z_x, -z_w, z_y, multipliers, shifts, high, low
        same(ops.quantized_linear(tensor(x), tensor(w), *given, *rest), expected)


@pytest.mark.peer("ExecuTorch Cortex-M", ["matmul"], ["cmsis-nn", "tflite", "int4"])
@pytest.mark.parametrize("k", [1, 40, 255])
def test_batch_matmul(k: int, ops: Any) -> None:
    rng = np.random.default_rng(k)
    for _ in range(4):
        a, b = int8(rng, 3, 4, k), int8(rng, 3, k, 5)
        z_a, z_b, z_y = zeros(rng, 3)
        total = hw.matmul(a, b, a_zero_point=z_a, b_zero_point=z_b)
        assert k * 255 * 255 < 1 << 24
        scheme, multipliers, shifts = rescale(rng, int(np.abs(total).max()) + 1)
        # Its offsets are added: negated zero points.
        rest = z_y, multipliers[0], shifts[0], NOTHING
        turned = tensor(b.transpose(0, 2, 1))
        actual = ops.quantized_batch_matmul(tensor(a), -z_a, turned, -z_b, *rest)
        same(actual, hw.requantize(total, scheme, z_y, EIGHT))


@pytest.mark.peer("ExecuTorch Cortex-M", ["add"], ["cmsis-nn", "tflite", "int4"])
def test_add_every_pair_of_codes(ops: Any) -> None:
    a, b = (np.ascontiguousarray(v.astype(np.int8)) for v in np.mgrid[-128:128, -128:128])
    rng = np.random.default_rng(3)
    for trial in range(8):
        scales = 2.0 ** rng.integers(-8, -3, 3) if trial % 2 else rng.uniform(0.01, 0.1, 3)
        scheme = hw.ShiftedAdd.from_scales(*(float(s) for s in scales))
        z_a, z_b, z_y = zeros(rng, 3)
        clamp = limits(rng)
        parts = [(p.multiplier, 31 - p.right_shift) for p in (scheme.a, scheme.b, scheme.out)]
        actual = ops.quantized_add(
            tensor(a), z_a, *parts[0], tensor(b), z_b, *parts[1], z_y, *parts[2], *clamp
        )
        same(actual, hw.add(a, b, scheme, z_a, z_b, z_y, EIGHT, clamp))


@pytest.mark.peer("ExecuTorch Cortex-M", ["mul"], ["cmsis-nn", "tflite", "int4"])
def test_mul_every_pair_of_codes(ops: Any) -> None:
    a, b = (np.ascontiguousarray(v.astype(np.int8)) for v in np.mgrid[-128:128, -128:128])
    rng = np.random.default_rng(4)
    for _ in range(8):
        z_a, z_b, z_y = zeros(rng, 3)
        scheme, multipliers, shifts = rescale(rng, 255 * 255)
        rest = z_y, multipliers[0], shifts[0]
        actual = ops.quantized_mul(tensor(a), z_a, tensor(b), z_b, *rest)
        same(actual, hw.mul(a, b, scheme, z_a, z_b, z_y, EIGHT))


@pytest.mark.peer("ExecuTorch Cortex-M", ["lookup"])
def test_lookup(ops: Any) -> None:
    rng = np.random.default_rng(5)
    x, table = int8(rng, 4, 300), int8(rng, 256)
    x[0, :256] = np.arange(-128, 128)
    same(ops.quantized_activation(tensor(x), tensor(table)), hw.lookup(x, table, EIGHT, EIGHT))


@pytest.mark.peer("ExecuTorch Cortex-M", ["minimum", "maximum"], ["cmsis-nn", "tflite", "int4"])
def test_minimum_and_maximum(ops: Any) -> None:
    a, b = (np.ascontiguousarray(v.astype(np.int8)) for v in np.mgrid[-128:128, -128:128])
    same(ops.minimum(tensor(a), tensor(b)), hw.minimum(a, b))
    same(ops.maximum(tensor(a), tensor(b)), hw.maximum(a, b))


@pytest.mark.peer("ExecuTorch Cortex-M", ["pad"], ["cmsis-nn", "tflite", "int4"])
def test_pad(ops: Any) -> None:
    rng = np.random.default_rng(6)
    x = int8(rng, 2, 3, 5, 4)
    for before, after in (((0, 0, 1, 2), (0, 0, 2, 0)), ((1, 0, 0, 1), (0, 2, 0, 3))):
        expected = hw.pad(x, list(zip(before, after, strict=True)), -77)
        same(ops.pad(tensor(x), before, after, -77), expected)


@pytest.mark.peer("ExecuTorch Cortex-M", ["max_pool", "clamp"], ["cmsis-nn", "tflite", "int4"])
@pytest.mark.parametrize("kernel", [(2, 2), (3, 3), (3, 1)])
def test_max_pool(kernel: tuple[int, int], ops: Any) -> None:
    rng = np.random.default_rng(7)
    x = int8(rng, 2, 3, 9, 8)
    x[0] = -128  # padding must never win
    for stride, padding in (((1, 1), (0, 0)), ((2, 2), (1, 0))):
        low, high = limits(rng)
        expected = hw.clamp(hw.max_pool(x, kernel, stride, padding), low, high)
        rest = (1, 1), False, 5, 5, low, high
        same(ops.quantized_max_pool2d(tensor(x), kernel, stride, padding, *rest), expected)
