"""TOSA's sums of products: convolutions, transposed convolution and matrix product, exact.

TOSA adds the bias in the operator; ours is a primitive of its own. TOSA leaves a sum outside the
accumulator unpredictable: ours is an error under ``overflow="error"``, and what the model computes
without a word is ``wrap`` at 32 bits and ``saturate`` at 48.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hw_models as hw
from tests.peers.tosa import model as tosa
from tests.peers.tosa.model import INT4, INT8, INT16, INT32, INT48

TYPES = {  # input, weight, accumulator, its bits
    "i8": (INT8, INT8, INT32, 32),
    "i8xi4": (INT8, INT4, INT32, 32),
    "i16xi8": (INT16, INT8, INT48, 48),
}
CONV = {  # channels, outputs, kernel, size, stride, padding, dilation
    "1x1": (5, 7, (1, 1), (4, 3), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    "3x3": (3, 16, (3, 3), (6, 7), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "3x2-stride2": (4, 6, (3, 2), (8, 7), (2, 2), ((0, 1), (1, 0)), (1, 1)),
    "5x3-dilation2": (2, 3, (5, 3), (9, 8), (1, 1), ((2, 3), (0, 2)), (2, 2)),
}
DEPTHWISE = {  # channels, multiplier, kernel, size, stride, padding, dilation
    "3x3": (6, 1, (3, 3), (5, 6), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "multiplier3": (4, 3, (2, 3), (6, 7), (2, 2), ((0, 0), (1, 1)), (1, 1)),
    "dilation": (3, 2, (3, 2), (7, 6), (1, 1), ((2, 0), (0, 2)), (2, 3)),
}
TRANSPOSED = {  # channels, outputs, kernel, size, stride, out_pad (top, bottom, left, right)
    "stride1": (3, 4, (3, 3), (4, 5), (1, 1), (0, 0, 0, 0)),
    "stride2": (4, 5, (3, 3), (4, 5), (2, 2), (-1, -1, -1, -1)),
    "out-pad-mixed": (2, 3, (4, 3), (3, 4), (2, 3), (-2, 1, 2, -1)),
    "kernel-below-stride": (3, 2, (1, 2), (3, 3), (3, 4), (1, 2, -1, 3)),
}


def case(
    types: str, x_size: tuple[int, ...], w_size: tuple[int, ...], kind: str
) -> tuple[Any, ...]:
    """Draw x, weight, their zero points, a bias; return them with the accumulator."""
    rng = np.random.default_rng(len(types) + sum(w_size))
    x_type, w_type, _, bits = TYPES[types]
    x, w = tosa.codes(rng, x_type, x_size, kind), tosa.codes(rng, w_type, w_size, kind)
    zeros = (int(rng.integers(-128, 128)), int(rng.integers(-128, 128)))
    x_zero = zeros[0] if x_type == INT8 else 0  # TOSA has zero points at 8 bits only
    w_zero = zeros[1] if (x_type, w_type) == (INT8, INT8) else 0
    outputs = w_size[0] if len(w_size) == 4 else w_size[-1]
    bias = rng.integers(-(1 << 20), 1 << 20, outputs)
    return x, w, x_zero, w_zero, bias, hw.Accumulator(bits, "error")


def operands(types: str, x: Any, w: Any, bias: Any, x_zero: int, w_zero: int) -> list[Any]:
    x_type, w_type, acc_type, _ = TYPES[types]
    return [
        tosa.fed(tosa.nhwc(x), x_type),
        tosa.const(w, w_type),
        tosa.const(bias, acc_type),
        tosa.const(x_zero, x_type),
        tosa.const(w_zero, w_type),
    ]


def flat(pairs: Any) -> list[int]:
    return [size for pair in pairs for size in pair]


@pytest.mark.peer("TOSA reference model", ["correlation", "bias_add"], ["tosa"], types="i8")
@pytest.mark.parametrize("kind", ["any", "ends"])
@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("name", CONV)
def test_conv2d(name: str, types: str, kind: str) -> None:
    channels, outputs, kernel, size, stride, padding, dilation = CONV[name]
    x, w, x_zero, w_zero, bias, accumulator = case(
        types, (2, channels, *size), (outputs, channels, *kernel), kind
    )
    acc = hw.correlation(
        x, w, stride, padding, dilation, 1, x_zero, w_zero, accumulator=accumulator
    )
    expected = hw.bias_add(acc, bias, accumulator)
    acc_type = TYPES[types][2]
    actual = tosa.run(
        "CONV2D",
        operands(types, x, tosa.nhwc(w), bias, x_zero, w_zero),
        tosa.nhwc(expected).shape,
        acc_type,
        lambda a: a.Conv2dAttribute(flat(padding), list(stride), list(dilation), False, acc_type),
    )
    np.testing.assert_array_equal(tosa.nchw(actual), expected)


@pytest.mark.peer("TOSA reference model", ["correlation", "bias_add"], ["tosa"], types="i8")
@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("name", DEPTHWISE)
def test_depthwise_conv2d(name: str, types: str) -> None:
    channels, multiplier, kernel, size, stride, padding, dilation = DEPTHWISE[name]
    x, w, x_zero, w_zero, bias, accumulator = case(
        types, (2, channels, *size), (channels * multiplier, 1, *kernel), "any"
    )
    acc = hw.correlation(
        x, w, stride, padding, dilation, channels, x_zero, w_zero, accumulator=accumulator
    )
    expected = hw.bias_add(acc, bias, accumulator)
    acc_type = TYPES[types][2]
    theirs = w.reshape(channels, multiplier, *kernel).transpose(2, 3, 0, 1)  # [H, W, C, M]
    actual = tosa.run(
        "DEPTHWISE_CONV2D",
        operands(types, x, theirs, bias, x_zero, w_zero),
        tosa.nhwc(expected).shape,
        acc_type,
        lambda a: a.DepthwiseConv2dAttribute(
            flat(padding), list(stride), list(dilation), False, acc_type
        ),
    )
    np.testing.assert_array_equal(tosa.nchw(actual), expected)


@pytest.mark.peer("TOSA reference model", ["transposed_correlation"], ["tosa"], types="i8")
@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("name", TRANSPOSED)
def test_transpose_conv2d(name: str, types: str) -> None:
    """A negative out_pad removes (our padding), a positive one adds (our output_padding)."""
    channels, outputs, kernel, size, stride, out_pad = TRANSPOSED[name]
    x, w, x_zero, w_zero, bias, accumulator = case(
        types, (2, channels, *size), (outputs, channels, *kernel), "any"
    )
    ends = (out_pad[:2], out_pad[2:])
    acc = hw.transposed_correlation(
        x,
        w.swapaxes(0, 1),
        stride,
        tuple((max(-before, 0), max(-after, 0)) for before, after in ends),
        tuple((max(before, 0), max(after, 0)) for before, after in ends),
        x_zero_point=x_zero,
        weight_zero_point=w_zero,
        accumulator=accumulator,
    )
    expected = hw.bias_add(acc, bias, accumulator)
    acc_type = TYPES[types][2]
    actual = tosa.run(
        "TRANSPOSE_CONV2D",
        operands(types, x, tosa.nhwc(w), bias, x_zero, w_zero),
        tosa.nhwc(expected).shape,
        acc_type,
        lambda a: a.TransposeConv2dAttribute(list(out_pad), list(stride), False, acc_type),
    )
    np.testing.assert_array_equal(tosa.nchw(actual), expected)


def matmul(a: Any, b: Any, dtype: Any, zeros: tuple[int, int]) -> Any:
    acc_type = INT32 if dtype == INT8 else INT48
    return tosa.run(
        "MATMUL",
        [tosa.fed(a, dtype), tosa.fed(b, dtype), *(tosa.const(zero, dtype) for zero in zeros)],
        (a.shape[0], a.shape[1], b.shape[2]),
        acc_type,
        lambda attributes: attributes.MatMulAttribute(),
    )


@pytest.mark.peer("TOSA reference model", ["matmul"], ["tosa"], bits=32)
@pytest.mark.parametrize("kind", ["any", "ends"])
@pytest.mark.parametrize(("dtype", "bits"), [(INT8, 32), (INT16, 48)], ids=["i8", "i16"])
@pytest.mark.parametrize("sizes", [(1, 3, 8, 5), (4, 2, 65, 3), (2, 7, 1, 4)])
def test_matmul(sizes: tuple[int, ...], dtype: Any, bits: int, kind: str) -> None:
    rng = np.random.default_rng(sum(sizes))
    batch, rows, inner, columns = sizes
    a = tosa.codes(rng, dtype, (batch, rows, inner), kind)
    b = tosa.codes(rng, dtype, (batch, inner, columns), kind)
    zeros = (-128, 127) if dtype == INT8 else (0, 0)
    accumulator = hw.Accumulator(bits, "error")
    expected = hw.matmul(a, b, *zeros, accumulator=accumulator)
    np.testing.assert_array_equal(matmul(a, b, dtype, zeros), expected)


def test_a_product_that_overflows() -> None:
    """2**31 / 2**14 products of (-128)**2 reach 2**31; one less does not."""
    a = np.full((1, 1, 1 << 17), -128, np.int8)
    b = a.swapaxes(1, 2)
    assert hw.matmul(a, b).item() == matmul(a, b, INT8, (0, 0)).item() == -(1 << 31)
    with pytest.raises(hw.AccumulatorOverflowError, match=str(1 << 31)):
        hw.matmul(a, b, accumulator=hw.Accumulator(32, "error"))
    a[..., 0] = 0
    expected = hw.matmul(a, b, accumulator=hw.Accumulator(32, "error"))
    assert expected.item() == matmul(a, b, INT8, (0, 0)).item() == (1 << 31) - (1 << 14)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("types", "overflow"), [("i8", "wrap"), ("i16xi8", "saturate")])
def test_a_bias_that_overflows(types: str, overflow: Any, sign: int) -> None:
    x_type, _, acc_type, bits = TYPES[types]
    accumulator, strict = hw.Accumulator(bits, overflow), hw.Accumulator(bits, "error")
    w, bias = np.ones((1, 1, 1, 1), np.int8), np.array([strict.max if sign > 0 else strict.min])
    for code in (0, sign):
        x = np.full((1, 1, 1, 1), code, np.int8 if x_type == INT8 else np.int16)
        actual = tosa.run(
            "CONV2D",
            operands(types, x, w, bias, 0, 0),
            (1, 1, 1, 1),
            acc_type,
            lambda a: a.Conv2dAttribute([0] * 4, [1, 1], [1, 1], False, acc_type),
        )
        acc = hw.correlation(x, w, accumulator=strict)
        np.testing.assert_array_equal(actual, hw.bias_add(acc, bias, accumulator))
    with pytest.raises(hw.AccumulatorOverflowError):
        hw.bias_add(acc, bias, strict)
