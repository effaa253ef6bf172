"""LiteRT's and torch's element-wise operators: equal codes.

SUB            sub(ShiftedAdd, negate="term"), shifted by 20 (int8) or 15 (int16)
MUL            mul(FixedPoint) of the float32 s_a * s_b / s_y
MEAN           mean(over_count); optimized, over height and width that are kept: one multiplier of
               the raw sum and a rounded zero point, "double-half-up" on whole vectors of 16
               channels and "double" on what is left
MINIMUM, MAXIMUM, CONCATENATION, PADV2, MIRROR_PAD, ARG_MAX: the codes themselves
quantized.mul  mul(FloatScale) of the float32 s_a * s_b * (1 / s_y)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import hw_models as hw
from tests.peers.litert.model import Model
from tests.peers.litert.run import run
from tests.peers.pytorch.layers import quantized_tensor

F32 = np.float32
KERNELS = pytest.mark.parametrize("kernels", ["reference", "optimized"])
FORMATS = {"int8": hw.FixedFormat(8), "int16": hw.FixedFormat(16)}
SHIFTS = {"int8": 20, "int16": 15}
SCALES = [(0.5, 0.25, 0.5), (0.1, 0.037, 0.09), (0.02, 0.5, 0.31), (0.5, (2**24 - 3) / 2**25, 8.0)]
ZEROS = {"int8": (3, -5, 7), "int16": (0, 0, 0)}


def real(scale: float) -> float:
    """Return a scale as the flatbuffer holds it."""
    return float(F32(scale))


def pair(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return every pair of bytes, or as many random pairs of int16 codes with the extremes."""
    grid = np.arange(-128, 128)
    a, b = (v.reshape(1, 256, 256) for v in np.meshgrid(grid, grid, indexing="ij"))
    if dtype == "int16":
        low = np.random.default_rng(0).integers(0, 256, (2, 1, 256, 256))
        a, b = a * 256 + low[0], b * 256 + low[1]
    return a.astype(dtype), b.astype(dtype)


def litert(
    name: str,
    arrays: list[np.ndarray],
    shape: tuple[int, ...],
    scales: tuple[float, ...],
    zeros: tuple[int, ...],
    kernels: str,
    constants: tuple[Any, ...] = (),
    options: str = "",
    **fields: Any,
) -> np.ndarray:
    """Run one operator; the last scale and zero point are the output's."""
    model, dtype = Model(), arrays[0].dtype.name
    inputs = [
        model.input(x.shape, dtype, s, z) for x, s, z in zip(arrays, scales, zeros, strict=False)
    ]
    inputs += [
        model.tensor(c.shape, c.dtype.name, s, z, data=c) if s else model.constant(c)
        for c, s, z in constants
    ]
    made = model.tensor(shape, dtype, scales[-1], zeros[-1], name="y")
    model.operator(name, inputs, made, options, **fields)
    return run(model, *arrays, kernels=kernels)[0]["y"]


@pytest.mark.peer(
    "LiteRT reference",
    ["sub"],
    ["litert-reference", "tflite", "int4"],
    kernels="reference",
    dtype="int8",
)
@pytest.mark.peer(
    "LiteRT optimized", ["sub"], ["litert-optimized"], kernels="optimized", dtype="int8"
)
@pytest.mark.peer(
    "LiteRT reference", ["sub"], ["tflite-int16x8"], kernels="reference", dtype="int16"
)
@KERNELS
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("broadcast", [False, True])
def test_sub(kernels: str, dtype: str, scales: tuple[float, ...], broadcast: bool) -> None:
    a, b = pair(dtype)
    b = b[:, :1] if broadcast else b
    zeros = ZEROS[dtype]
    # Else int16 codes with scales that are powers of two take a path of their own.
    general = {"options": "SubOptions", "potScaleInt16": False}
    theirs = litert("SUB", [a, b], a.shape, scales, zeros, kernels, **general)
    adder = hw.ShiftedAdd.from_scales(*map(real, scales), SHIFTS[dtype])
    ours = hw.sub(a, b, adder, *zeros, FORMATS[dtype])
    np.testing.assert_array_equal(ours, theirs)


def test_sub_tells_the_negated_term() -> None:
    adder = hw.ShiftedAdd.from_scales(*map(real, SCALES[3]))
    a, b = pair("int8")
    assert (hw.sub(a, b, adder) != hw.sub(a, b, adder, negate="operand")).any()


@pytest.mark.peer(
    "LiteRT reference",
    ["mul"],
    ["litert-reference", "tflite", "int4"],
    kernels="reference",
    dtype="int8",
)
@pytest.mark.peer(
    "LiteRT optimized", ["mul"], ["litert-optimized"], kernels="optimized", dtype="int8"
)
@pytest.mark.peer(
    "LiteRT reference", ["mul"], ["tflite-int16x8"], kernels="reference", dtype="int16"
)
@KERNELS
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("scales", SCALES)
def test_mul(kernels: str, dtype: str, scales: tuple[float, ...]) -> None:
    a, b = pair(dtype)
    scales = scales if dtype == "int8" else (*scales[:2], scales[2] * 300)
    zeros = ZEROS[dtype]
    theirs = litert("MUL", [a, b], a.shape, scales, zeros, kernels, (), "MulOptions")
    sa, sb, so = map(F32, scales)
    scheme = hw.FixedPoint.from_scale(float(sa * sb / so))
    np.testing.assert_array_equal(hw.mul(a, b, scheme, *zeros, FORMATS[dtype]), theirs)


def averaged(dtype: str) -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (2, 7, 6, 300)).astype(dtype)


@pytest.mark.peer(
    "LiteRT reference",
    ["mean"],
    ["litert-reference", "tflite", "int4"],
    kernels="reference",
    dtype="int8",
)
@pytest.mark.peer("LiteRT reference", ["mean"], kernels="reference", dtype="int16")
@pytest.mark.peer("LiteRT optimized", ["mean"], kernels="optimized")
@KERNELS
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("axes", [(1, 2), (3,), (2,), (1, 3)])
@pytest.mark.parametrize(("sx", "so"), [(0.1, 0.1), (0.1, 0.09), (0.02, 0.31), (0.25, 0.5)])
def test_mean(kernels: str, dtype: str, axes: tuple[int, ...], sx: float, so: float) -> None:
    x = averaged(dtype)
    zx, zo = (3, -9) if dtype == "int8" else (0, 0)
    shape = x.sum(axes).shape
    count = x.size // int(np.prod(shape))
    indices = ((np.array(axes, np.int32), None, 0),)
    theirs = litert(
        "MEAN", [x], shape, (sx, so), (zx, zo), kernels, indices, "ReducerOptions", keepDims=False
    )
    rescale = hw.FixedPoint.from_scale(real(sx) / real(so))
    scheme = hw.over_count(rescale, count)
    np.testing.assert_array_equal(hw.mean(x, axes, scheme, zx, zo, FORMATS[dtype]), theirs)


@pytest.mark.peer(
    "LiteRT reference", ["mean"], ["litert-reference", "tflite", "int4"], kernels="reference"
)
@pytest.mark.peer("LiteRT optimized", ["mean"], kernels="optimized")
@KERNELS
@pytest.mark.parametrize(
    ("sx", "so", "zx", "zo"),
    [(0.1, 0.09, 3, 7), (0.25, 0.5, 3, 7), (0.1, 0.1, 3, 3), (0.02, 0.31, -100, 90)],
)
def test_mean_that_keeps_height_and_width(
    kernels: str, sx: float, so: float, zx: int, zo: int
) -> None:
    x = averaged("int8")
    axes = ((np.array([1, 2], np.int32), None, 0),)
    theirs = litert(
        "MEAN", [x], (2, 1, 1, 300), (sx, so), (zx, zo), kernels, axes, "ReducerOptions",
        keepDims=True,
    )  # fmt: skip
    if kernels == "reference":
        scheme = hw.over_count(hw.FixedPoint.from_scale(real(sx) / real(so)), 42)
        ours = hw.mean(x, (1, 2), scheme, zx, zo, keepdims=True)
    else:
        offset = float(F32(zx) * F32(sx) / F32(so))
        point = zo - int(np.copysign(np.floor(abs(offset) + 0.5), offset))
        scale = float(F32(sx) / (F32(42) * F32(so)))
        ours = np.empty_like(theirs)
        whole = x.shape[3] // 16 * 16
        for rounding, part in (("double-half-up", slice(whole)), ("double", slice(whole, None))):
            scheme = hw.FixedPoint.from_scale(scale, rounding=rounding)
            ours[..., part] = hw.mean(x[..., part], (1, 2), scheme, 0, point, keepdims=True)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.peer(
    "LiteRT reference",
    ["minimum", "maximum"],
    ["litert-reference", "tflite", "int4"],
    kernels="reference",
    dtype="int8",
)
@pytest.mark.peer(
    "LiteRT optimized",
    ["minimum", "maximum"],
    ["litert-optimized"],
    kernels="optimized",
    dtype="int8",
)
@pytest.mark.peer(
    "LiteRT reference",
    ["minimum", "maximum"],
    ["tflite-int16x8"],
    kernels="reference",
    dtype="int16",
)
@pytest.mark.peer("LiteRT reference", ["concat"], kernels="reference")
@pytest.mark.peer("LiteRT optimized", ["concat"], kernels="optimized")
@KERNELS
@pytest.mark.parametrize("dtype", FORMATS)
def test_operators_that_pick_codes(kernels: str, dtype: str) -> None:
    a, b = pair(dtype)
    one = ((0.1,) * 3, (0,) * 3, kernels)
    for name, ours in (("MINIMUM", hw.minimum), ("MAXIMUM", hw.maximum)):
        theirs = litert(name, [a, b], a.shape, *one, (), "MaximumMinimumOptions")
        np.testing.assert_array_equal(ours(a, b), theirs)
    joined = hw.concat([a, b[:, :, :7]], 2, output=FORMATS[dtype])
    theirs = litert(
        "CONCATENATION", [a, b[:, :, :7]], joined.shape, *one, (), "ConcatenationOptions", axis=2
    )
    np.testing.assert_array_equal(joined, theirs)


@pytest.mark.peer(
    "LiteRT reference",
    ["pad"],
    ["litert-reference", "tflite", "int4"],
    kernels="reference",
    mode="constant",
)
@pytest.mark.peer(
    "LiteRT optimized", ["pad"], ["litert-optimized"], kernels="optimized", mode="constant"
)
@KERNELS
@pytest.mark.parametrize("mode", ["constant", "reflect", "symmetric"])
def test_pad(kernels: str, mode: Any) -> None:
    x = np.random.default_rng(2).integers(-128, 128, (1, 4, 5, 3)).astype(np.int8)
    pads = [(0, 0), (2, 1), (3, 4), (1, 0)]
    ours = hw.pad(x, pads, -7, mode)
    constants: tuple[Any, ...] = ((np.array(pads, np.int32), None, 0),)
    one = ((0.1, 0.1), (3, 3), kernels)
    if mode == "constant":
        constants += ((np.array([-7], np.int8), 0.1, 3),)
        theirs = litert("PADV2", [x], ours.shape, *one, constants, "PadV2Options")
    else:
        number = ("reflect", "symmetric").index(mode)
        theirs = litert(
            "MIRROR_PAD", [x], ours.shape, *one, constants, "MirrorPadOptions", mode=number
        )
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.peer(
    "LiteRT reference", ["argmax"], ["litert-reference", "tflite", "int4"], kernels="reference"
)
@pytest.mark.peer("LiteRT optimized", ["argmax"], ["litert-optimized"], kernels="optimized")
@KERNELS
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_argmax(kernels: str, axis: int) -> None:
    x = np.random.default_rng(3).integers(-3, 3, (2, 9, 10, 17)).astype(np.int8)
    ours = hw.argmax(x, axis)
    model = Model()
    given = model.input(x.shape, "int8", 0.1)
    where = model.constant(np.array([axis], np.int32))
    made = model.tensor(ours.shape, "int32", name="y")
    model.operator("ARG_MAX", [given, where], made, "ArgMaxOptions", outputType=2)
    np.testing.assert_array_equal(ours, run(model, x, kernels=kernels)[0]["y"])


@pytest.mark.peer("PyTorch", ["mul"], ["pytorch"])
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.parametrize("scales", SCALES[:3])
def test_torch_mul(scales: tuple[float, float, float]) -> None:
    a, b = (v.astype(np.uint8) for v in pair("int8"))
    sa, sb, so = scales
    xa, xb = quantized_tensor(a, sa, 3), quantized_tensor(b, sb, 250)
    theirs = torch.ops.quantized.mul(xa, xb, so, 7).int_repr().numpy()
    scheme = hw.FloatScale(float(F32(sa) * F32(sb) * (F32(1) / F32(so))))
    ours = hw.mul(a, b, scheme, 3, 250, 7, hw.FixedFormat(8, signed=False))
    np.testing.assert_array_equal(ours, theirs)
