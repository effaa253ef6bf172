"""LiteRT's operators on two tensors of codes, and its rescale: equal codes, all pairs of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models.add import ShiftedAdd, add
from hw_models.formats import FixedFormat
from hw_models.mul import mul
from hw_models.prelu import prelu
from hw_models.quantize import quantize
from hw_models.requantize import requantize
from hw_models.schemes import FixedPoint, FloatScale, MulAddShift
from hw_models.sub import sub
from tests.peers.litert.formulas import F32, adder, in_runs
from tests.peers.litert.model import Model
from tests.peers.litert.run import KERNELS, run

OPTIONS = {"ADD": {"potScaleInt16": False}, "SUB": {"potScaleInt16": False}, "MUL": {}}
CODES = np.arange(-128, 128).astype(np.int8)
PAIRS = tuple(axis.reshape(1, -1) for axis in np.meshgrid(CODES, CODES))


def draw(rng: np.random.Generator, trial: int) -> list[np.float32]:
    """Return three scales: powers of two, small ratios, anything: the first two make ties."""
    if trial % 3 == 0:
        return [F32(2.0**-k) for k in rng.integers(3, 9, 3)]
    scales = [F32(v) for v in rng.uniform(0.01, 0.1, 3)]
    if trial % 3 == 1:
        scales[1:] = [F32(scales[0] * a / b) for a, b in rng.integers(1, 9, (2, 2))]
    return scales


def codes16(rng: np.random.Generator, size: int) -> tuple[np.ndarray, ...]:
    return tuple(rng.integers(-32768, 32768, (2, 1, size)).astype(np.int16))


def binary(name: str, dtype: str, scales: list, zeros: list[int], size: int) -> Model:
    model = Model()
    shape = (1, size)
    inputs = [model.input(shape, dtype, s, z) for s, z in zip(scales[:2], zeros, strict=False)]
    output = model.tensor(shape, dtype, scales[2], zeros[2], name="y")
    model.operator(name, [*inputs], output, f"{name.title()}Options", **OPTIONS[name])
    return model


def product(kernels: str, scales: list) -> FixedPoint | FloatScale:
    """MUL: the factor is a float32 everywhere; XNNPACK uses it, the others a multiplier of it."""
    factor = scales[0] * scales[1] / scales[2]
    return FloatScale(factor) if kernels == "xnnpack" else FixedPoint.from_scale(float(factor))


@pytest.mark.peer("LiteRT reference", ["add"], ["litert-reference", "tflite", "int4"], name="ADD")
@pytest.mark.peer("LiteRT optimized", ["add"], ["litert-optimized"], name="ADD")
@pytest.mark.peer("LiteRT with XNNPACK", ["add"], ["xnnpack"], name="ADD")
@pytest.mark.peer("LiteRT reference", ["sub"], ["litert-reference", "tflite", "int4"], name="SUB")
@pytest.mark.peer("LiteRT optimized", ["sub"], ["litert-optimized"], name="SUB")
@pytest.mark.peer("LiteRT with XNNPACK", ["sub"], ["xnnpack"], name="SUB")
@pytest.mark.peer("LiteRT reference", ["mul"], ["litert-reference", "tflite", "int4"], name="MUL")
@pytest.mark.peer("LiteRT optimized", ["mul"], ["litert-optimized"], name="MUL")
@pytest.mark.peer("LiteRT with XNNPACK", ["mul"], ["xnnpack"], name="MUL")
@pytest.mark.parametrize("name", OPTIONS)
def test_int8(name: str) -> None:
    rng = np.random.default_rng(1)
    different = 0
    for trial in range(9):
        scales, zeros = draw(rng, trial), [int(z) for z in rng.integers(-128, 128, 3)]
        if name == "MUL":
            scales[2] = F32(scales[2] * 2.0 ** rng.integers(-3, 4))
        model = binary(name, "int8", scales, zeros, PAIRS[0].size)
        got = {}
        for kernels in KERNELS:
            results, left_over = run(model, *PAIRS, kernels=kernels)
            assert kernels != "xnnpack" or not left_over
            got[kernels] = results["y"]
            function: Any = {"ADD": add, "SUB": sub, "MUL": mul}[name]
            scheme = product(kernels, scales) if name == "MUL" else adder(kernels, *scales)
            expected = function(*PAIRS, scheme, *zeros)
            np.testing.assert_array_equal(got[kernels], expected, f"{kernels} {scales} {zeros}")
        np.testing.assert_array_equal(got["reference"], got["optimized"])
        different += int((got["reference"] != got["xnnpack"]).sum())
    assert different > 100


@pytest.mark.peer("LiteRT reference", ["sub"], ["tflite-int16x8"], name="SUB")
@pytest.mark.peer("LiteRT reference", ["mul"], ["tflite-int16x8"], name="MUL")
@pytest.mark.parametrize("name", ["SUB", "MUL"])
def test_int16(name: str) -> None:
    rng = np.random.default_rng(2)
    for trial in range(9):
        scales, (a, b) = draw(rng, trial), codes16(rng, 4103)
        if name == "MUL":
            scales[2] = F32(scales[2] * 2.0 ** rng.integers(8, 12))
        model = binary(name, "int16", scales, [0, 0, 0], a.size)
        scheme = product("", scales) if name == "MUL" else adder("", *scales, 15)
        function: Any = {"SUB": sub, "MUL": mul}[name]
        expected = function(a, b, scheme, output=FixedFormat(16))
        for kernels in KERNELS:
            results, _ = run(model, a, b, kernels=kernels)
            np.testing.assert_array_equal(results["y"], expected, f"{kernels} {scales}")


def add16(a: np.ndarray, b: np.ndarray, scales: list, *, runs: bool) -> np.ndarray:
    """ADD: in whole runs of 16 codes the optimized kernel rounds its operands once, half up."""
    exact = ShiftedAdd.from_scales(*(float(s) for s in scales), 15)
    whole = a.shape[1] // 16 * 16 if runs else 0
    twice = 2 * max(float(s) for s in scales[:2])
    once = [FixedPoint.from_scale(float(s) / twice, rounding="single") for s in scales[:2]]
    faster = ShiftedAdd(15, *once, exact.out)
    parts = [(slice(0, whole), faster), (slice(whole, None), exact)]
    return np.concatenate(
        [add(a[:, p], b[:, p], scheme, output=FixedFormat(16)) for p, scheme in parts], axis=1
    )


@pytest.mark.peer("LiteRT reference", ["add"], ["tflite-int16x8"])
def test_int16_addition() -> None:
    """Pairs where one rounding of an operand and two differ are one in 100,000: they are sought."""
    rng = np.random.default_rng(3)
    different = 0
    for trial in range(6):
        scales, (a, b) = draw(rng, trial), codes16(rng, 1 << 18)
        found = np.flatnonzero(add16(a, b, scales, runs=True) != add16(a, b, scales, runs=False))
        chosen = np.concatenate([np.tile(found[:20], 40), np.arange(333)])
        a, b = a[:, chosen], b[:, chosen]
        model = binary("ADD", "int16", scales, [0, 0, 0], chosen.size)
        got = [run(model, a, b, kernels=k)[0]["y"] for k in ("reference", "optimized")]
        for actual, runs in zip(got, (False, True), strict=True):
            np.testing.assert_array_equal(actual, add16(a, b, scales, runs=runs), f"{scales}")
        different += int((got[0] != got[1]).sum())
    assert different > 100


def test_rescale() -> None:
    """QUANTIZE from int8 to int8; the optimized kernel treats its last size % 16 codes apart."""
    rng = np.random.default_rng(4)
    different = set()
    for trial in range(24):
        s_x, s_y, _ = draw(rng, trial)
        z_x, z_y = (int(z) for z in rng.integers(-128, 128, 2))
        x = np.concatenate([CODES, rng.integers(-128, 128, trial % 16)]).astype(np.int8)[None]
        model = Model()
        inputs = [model.input(x.shape, "int8", s_x, z_x)]
        model.operator("QUANTIZE", [*inputs], model.tensor(x.shape, "int8", s_y, z_y, name="y"))
        factor, offset = float(s_x) / float(s_y), x.astype(np.int32) - z_x
        byte = MulAddShift(int(np.rint(256 * (s_x / s_y))), 0, 8)
        expected = {
            "reference": requantize(offset, FixedPoint.from_scale(factor), z_y),
            "optimized": in_runs(offset, factor, z_y),
            "xnnpack": requantize(offset, byte, z_y),
        }
        for kernels in KERNELS:
            results, left_over = run(model, x, kernels=kernels)
            assert kernels != "xnnpack" or not left_over
            np.testing.assert_array_equal(results["y"], expected[kernels], f"{kernels} {s_x} {s_y}")
        different |= {k for k in KERNELS if (expected[k] != expected["reference"]).any()}
    assert different == {"optimized", "xnnpack"}


@pytest.mark.peer("LiteRT reference", ["quantize"], ["litert-reference", "int4"])
@pytest.mark.peer("LiteRT optimized", ["quantize"], ["litert-optimized"])
@pytest.mark.peer("LiteRT with XNNPACK", ["quantize"], ["xnnpack"])
def test_quantize() -> None:
    """QUANTIZE from float32: the reference divides and rounds away, the others multiply."""
    rng = np.random.default_rng(5)
    for trial in range(12):
        s_y, z_y = draw(rng, trial)[2], int(rng.integers(-128, 128))
        ties = (rng.integers(-200, 200, 400) + F32(0.5)) * s_y
        sides = [np.nextafter(ties, F32(side)) for side in (-np.inf, np.inf)]
        x = np.concatenate([ties, *sides, rng.normal(size=99).astype(F32)]).astype(F32)[None]
        model = Model()
        inputs = [model.input(x.shape, "float32", None)]
        model.operator("QUANTIZE", [*inputs], model.tensor(x.shape, "int8", s_y, z_y, name="y"))
        for kernels in KERNELS:
            formula: Any = "tflite" if kernels == "reference" else "executorch"
            results, _ = run(model, x, kernels=kernels)
            expected = quantize(x, float(s_y), z_y, formula=formula)
            np.testing.assert_array_equal(results["y"], expected, f"{kernels} {s_y}")


@pytest.mark.peer("LiteRT reference", ["prelu"], ["litert-reference", "tflite"])
@pytest.mark.peer("LiteRT optimized", ["prelu"], ["litert-optimized"])
def test_prelu() -> None:
    """PRELU: both multipliers are float32 quotients; one slope, or one a channel."""
    rng = np.random.default_rng(6)
    sides = set()
    for trial in range(9):
        scales, zeros = draw(rng, trial), [int(z) for z in rng.integers(-128, 128, 3)]
        slopes = rng.integers(-128, 128, (1, 1, 1 if trial % 4 == 0 else 256)).astype(np.int8)
        x = np.broadcast_to(CODES[:, None], (256, 256)).reshape(1, 1, 256, 256).copy()
        model = Model()
        inputs = [model.input(x.shape, "int8", scales[0], zeros[0])]
        inputs.append(model.tensor(slopes.shape, "int8", scales[1], zeros[1], data=slopes))
        model.operator(
            "PRELU", inputs, model.tensor(x.shape, "int8", scales[2], zeros[2], name="y")
        )
        schemes = [
            FixedPoint.from_scale(float(scales[0] / scales[2])),
            FixedPoint.from_scale(float(scales[0] * scales[1] / scales[2])),
        ]
        expected = prelu(x, slopes, *schemes, *zeros)
        for kernels in ("reference", "optimized"):
            results, _ = run(model, x, kernels=kernels)
            np.testing.assert_array_equal(results["y"], expected, f"{kernels} {scales} {zeros}")
        sides |= set(np.unique(x.astype(int) < zeros[0]).tolist())
    assert sides == {False, True}
