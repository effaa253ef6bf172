"""LiteRT's operators that are a function of one code, and softmax: equal codes for every code."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw_models.formats import FixedFormat
from hw_models.softmax import FixedSoftmax, FloatSoftmax, TableSoftmax, softmax
from hw_models.tables import (
    TFLITE,
    TORCH,
    ByteLeakyRelu,
    FixedSigmoid,
    FixedTanh,
    HardSwish,
    LeakyRelu,
    Sigmoid16,
    Tanh16,
    table,
    unit_table,
)
from tests.peers.litert.formulas import F32
from tests.peers.litert.model import Model
from tests.peers.litert.run import KERNELS, run

CODES = {d: np.arange(np.iinfo(d).min, np.iinfo(d).max + 1).astype(d)[None] for d in
         ("int8", "int16")}  # fmt: skip


def run_one(
    name: str, x: np.ndarray, scales: tuple, zeros: tuple[int, int], options: str = "",
    **fields: object,
) -> tuple[dict[str, np.ndarray], set[str]]:  # fmt: skip
    """Return the result of one operator by kernel set, and whether XNNPACK left it over."""
    model, dtype = Model(), x.dtype.name
    source = model.input(x.shape, dtype, scales[0], zeros[0])
    output = model.tensor(x.shape, dtype, scales[1], zeros[1])
    model.operator(name, [source], output, options, **fields)
    results, left = {}, set()
    for kernels in KERNELS:
        found, left_over = run(model, x, kernels=kernels)
        results[kernels] = found[output.name]
        left = left_over if kernels == "xnnpack" else left
    return results, left


def draw(rng: np.random.Generator, trial: int) -> tuple[np.float32, np.float32]:
    if trial % 4 == 0:
        a, b = (F32(2.0**-k) for k in rng.integers(3, 8, 2))
        return a, b
    if trial % 4 == 1:  # small ratios make ties
        s = F32(rng.uniform(0.01, 0.05))
        return F32(s * rng.integers(1, 9) / rng.integers(1, 9)), s
    a, b = (F32(v) for v in np.exp(rng.uniform(np.log(0.005), np.log(0.2), 2)))
    return a, b


@pytest.mark.peer("LiteRT reference", ["lookup"], ["litert-reference", "tflite", "int4"])
@pytest.mark.peer("LiteRT optimized", ["lookup"], ["litert-optimized"])
@pytest.mark.peer("LiteRT with XNNPACK", ["lookup"], ["xnnpack"])
@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
def test_curves_int8(name: str) -> None:
    """A table of float32 values: rounded half away, by XNNPACK half even."""
    rng = np.random.default_rng(1)
    function = {"LOGISTIC": "sigmoid", "TANH": "tanh"}[name]
    s_y, z_y = (F32(1 / 256), -128) if name == "LOGISTIC" else (F32(1 / 128), 0)
    for trial in range(60):
        s_x, z_x = draw(rng, trial)[0], int(rng.integers(-128, 128))
        results, left = run_one(name, CODES["int8"], (s_x, s_y), (z_x, z_y))
        assert not left
        for kernels, codes in results.items():
            arithmetic = TORCH if kernels == "xnnpack" else TFLITE
            entries = table(function, float(s_x), float(s_y), z_x, z_y, arithmetic=arithmetic)
            np.testing.assert_array_equal(codes[0], entries, f"{kernels} {s_x} {z_x}")


@pytest.mark.peer("LiteRT reference", ["lookup"])
@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
def test_curves_int16(name: str) -> None:
    """A scale of 2**-12 or 2**-11 goes to other kernels in the optimized set."""
    rng = np.random.default_rng(2)
    unit = {"LOGISTIC": Sigmoid16, "TANH": Tanh16}[name]
    fixed = {"LOGISTIC": FixedSigmoid(3), "TANH": FixedTanh(3)}[name]
    form = FixedFormat(16)
    for s_x in (F32(2.0**-12), F32(2.0**-11), *(F32(v) for v in rng.uniform(1e-5, 1e-3, 3))):
        expected = unit_table(unit.from_scale(float(s_x)), form, form)
        results, left = run_one(name, CODES["int16"], (s_x, F32(2.0**-15)), (0, 0))
        assert left == {name}
        np.testing.assert_array_equal(results["reference"][0], expected, f"{s_x}")
        np.testing.assert_array_equal(results["optimized"], results["xnnpack"])
        if s_x == 2.0**-12:
            np.testing.assert_array_equal(results["optimized"][0], unit_table(fixed, form, form))
        if np.frexp(s_x)[0] != 0.5:
            np.testing.assert_array_equal(results["optimized"][0], expected, f"{s_x}")


def test_hard_swish() -> None:
    """One integer unit in every set: XNNPACK does not take the operator."""
    rng = np.random.default_rng(3)
    for trial in range(40):
        scales = draw(rng, trial)
        z_x, z_y = (int(z) for z in rng.integers(-128, 128, 2))
        expected = unit_table(HardSwish.from_scales(*(float(s) for s in scales), z_x, z_y))
        results, left = run_one("HARD_SWISH", CODES["int8"], scales, (z_x, z_y))
        assert left == {"HARD_SWISH"}
        for kernels, codes in results.items():
            np.testing.assert_array_equal(codes[0], expected, f"{kernels} {scales}")


@pytest.mark.parametrize("dtype", CODES)
def test_leaky_relu(dtype: str) -> None:
    rng = np.random.default_rng(4)
    form, taken = FixedFormat(int(dtype[3:])), 0
    for trial in range(24 if dtype == "int8" else 3):
        (s_x, s_y), slope = draw(rng, trial), float(rng.choice([0.5, 0.25, 0.2, 0.1, 0.01]))
        zeros = (0, 0)
        if dtype == "int8":
            zeros = int(rng.integers(-128, 128)), int(rng.integers(-128, 128))
        real = float(s_x), float(s_y), slope, *zeros
        results, left = run_one(
            "LEAKY_RELU", CODES[dtype], (s_x, s_y), zeros, "LeakyReluOptions", alpha=slope
        )
        taken += not left
        for kernels, codes in results.items():
            bytewise = kernels == "xnnpack" and not left
            unit = (ByteLeakyRelu if bytewise else LeakyRelu).from_scales(*real)
            np.testing.assert_array_equal(codes[0], unit_table(unit, form, form), f"{kernels}")
    assert (taken > 10) == (dtype == "int8")


def tie_rows(rng: np.random.Generator) -> tuple[np.float32, np.ndarray]:
    """Return a scale and a row with one code apart, whose probability is near half a step."""
    while True:
        p, d, n = (rng.integers(1, 255) + 0.5) / 256, rng.integers(1, 120), rng.integers(2, 7)
        exact = abs(math.log((n - 1) * p / (1 - p))) / d
        if exact > 1e-4:
            break
    low = int(rng.integers(-128, 127 - d))
    row = np.full((1, n), low if p >= 1 / n else low + d, np.int8)
    row[0, rng.choice([0, n - 1])] = low + d if p >= 1 / n else low
    return F32(exact * (1 + rng.integers(-3, 4) * 2.0**-25)), row


@pytest.mark.peer("LiteRT reference", ["softmax"], ["litert-reference", "tflite", "int4"])
@pytest.mark.peer("LiteRT optimized", ["softmax"], ["litert-optimized"])
@pytest.mark.peer("LiteRT with XNNPACK", ["softmax"], ["xnnpack"])
def test_softmax_int8() -> None:
    """gemmlowp's fixed point in the reference; float32, half up, in the optimized kernel."""
    rng = np.random.default_rng(5)
    scales, form = F32(1 / 256), FixedFormat(8)
    different = 0
    for trial in range(240):
        s_x, x = tie_rows(rng)
        if trial % 8 == 0:
            s_x = F32(rng.uniform(0.01, 0.3))
            x = rng.integers(-128, 128, (6, rng.choice([2, 10, 35, 100]))).astype(np.int8)
        z_x, beta = int(rng.integers(-50, 50)), 1.0 if trial % 16 else 0.5
        results, left = run_one(
            "SOFTMAX", x, (s_x, scales), (z_x, -128), "SoftmaxOptions", beta=beta
        )
        assert left == {"SOFTMAX"}
        for kernels, codes in results.items():
            scheme = FloatSoftmax(float(s_x), beta=beta)
            if kernels == "reference":
                scheme = FixedSoftmax.from_scale(float(s_x), beta)
            expected = softmax(x, scheme, output=form)
            np.testing.assert_array_equal(codes, expected, f"{kernels} {s_x}")
        different += int((results["reference"] != results["optimized"]).sum())
    assert different > 20


@pytest.mark.peer("LiteRT reference", ["softmax"], ["tflite-int16x8"])
def test_softmax_int16() -> None:
    rng = np.random.default_rng(6)
    form = FixedFormat(16)
    for trial in range(12):
        s_x, n = F32(np.exp(rng.uniform(np.log(1e-5), np.log(1e-3)))), rng.choice([2, 7, 40])
        x = rng.integers(-32768, 32768, (20, n)).astype(np.int16)
        beta = 1.0 if trial % 2 else 0.7
        results, _ = run_one(
            "SOFTMAX", x, (s_x, F32(2.0**-15)), (0, 0), "SoftmaxOptions", beta=beta
        )
        expected = softmax(x, TableSoftmax.from_scale(float(s_x), beta), input=form, output=form)
        for kernels, codes in results.items():
            np.testing.assert_array_equal(codes, expected, f"{kernels} {s_x}")
