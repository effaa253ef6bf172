"""float_requantize: reference = kernel, corners, refusals."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import ContractError
from hw_models.float_requantize import (
    FLOAT_BIAS_KINDS,
    FloatBias,
    float_requantize,
    nearest32,
    reference,
)
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.requantize import requantize
from hw_models.schemes import FloatScale

F32 = np.float32
EDGES = [0, 1, -1, 2, -2, 3, 127, -128, 1 << 24, (1 << 24) + 1, (1 << 24) + 3, -(1 << 24) - 1]
EDGES += [(1 << 31) - 1, -(1 << 31), (1 << 53) + 1, (1 << 63) - 1, -(1 << 63)]


def agree(scheme: FloatBias, acc: np.ndarray, zero: int, form: FixedFormat, clamp: Any) -> None:
    ledger = Ledger()
    y = float_requantize(acc, scheme, zero, form, clamp, ledger=ledger)
    np.testing.assert_array_equal(float_requantize(acc, scheme, zero, form, clamp), y)
    assert y.dtype == form.dtype
    assert y.shape == acc.shape
    expected = [
        reference(int(v), scheme, zero, form, clamp, channel=i[1]) for i, v in np.ndenumerate(acc)
    ]
    assert y.reshape(-1).tolist() == expected
    free = [
        reference(int(v), scheme, zero, FixedFormat(32), None, channel=i[1])
        for i, v in np.ndenumerate(acc)
    ]
    outside = [a != b for a, b in zip(free, expected, strict=True)]
    assert ledger.clamped == sum(outside)
    first = np.unravel_index(outside.index(True), acc.shape) if any(outside) else None
    assert ledger.first == (None if first is None else tuple(int(i) for i in first))
    assert FixedFormat(32).saturate(ledger.minimum) == min(free)
    assert FixedFormat(32).saturate(ledger.maximum) == max(free)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1 << 32),
    kind=st.sampled_from(FLOAT_BIAS_KINDS),
    per_channel=st.booleans(),
    signed=st.booleans(),
    bits=st.integers(2, 16),
    near_tie=st.booleans(),
)
def test_kernel_is_reference(
    seed: int, kind: Any, per_channel: bool, signed: bool, bits: int, near_tie: bool
) -> None:
    rng = np.random.default_rng(seed)
    form = FixedFormat(bits, signed)
    acc = rng.integers(-(1 << 31), 1 << 31, (2, 4, 3)) >> rng.integers(0, 31, (1, 4, 1))
    acc[0, :, 0] = rng.choice(EDGES, 4)
    s_x, s_y = F32(rng.uniform(0.001, 0.1)), F32(rng.uniform(0.01, 0.5))
    s_w = rng.uniform(0.0005, 0.02, 4 if per_channel else ()).astype(F32)
    zero = int(rng.integers(form.min, form.max + 1))
    column = acc[1, :, 0]
    half = rng.integers(form.min - zero, form.max - zero + 1, 4) + 0.5
    bias = (half * float(s_y) - column * s_w.astype(float) * float(s_x)).astype(F32)
    if not near_tie:
        bias = (rng.normal(size=4) * 10 ** rng.uniform(-3, 3)).astype(F32)
    scheme = FloatBias(kind, float(s_x), s_w, float(s_y), bias if per_channel else float(bias[0]))
    clamp = (zero, form.max) if seed % 2 else None
    agree(scheme, acc, zero, form, clamp)


@pytest.mark.parametrize("kind", FLOAT_BIAS_KINDS)
@pytest.mark.parametrize("zero", [0, 1, -7])
def test_exact_ties(kind: Any, zero: int) -> None:
    """Ties of both signs and their neighbours; oneDNN rounds after the zero point is added."""
    scheme = FloatBias(kind, 0.5, 1.0, 1.0)
    acc = np.arange(-9, 10)[None, :].T.reshape(1, 1, -1)
    y = float_requantize(acc, scheme, zero).reshape(-1).tolist()
    halves = [Fraction(int(v), 2) for v in acc.reshape(-1)]
    if kind.startswith("onednn"):
        assert y == [round(v + zero) for v in halves]
    else:
        assert y == [round(v) + zero for v in halves]
    agree(scheme, acc, zero, FixedFormat(8), None)


def test_tensor_kind_fuses() -> None:
    """The smallest step apart: bias * (1 / s) is rounded once, with the sum, not before it."""
    bias, s_w = F32(1.1), F32(0.3)
    rcp = F32(1) / s_w
    acc = np.array([[1 << 23]])
    fused = nearest32(Fraction(float(bias)) * Fraction(float(rcp)) + (1 << 23))
    scheme = FloatBias("fbgemm-tensor", 1.0, float(s_w), float(s_w), float(bias))
    assert float_requantize(acc, scheme, 0, FixedFormat(32)) == round(fused)


@pytest.mark.parametrize("kind", ["fbgemm-channel", "fbgemm-tensor"])
def test_without_bias_is_float_scale(kind: Any) -> None:
    rng = np.random.default_rng(1)
    acc = rng.integers(-(1 << 30), 1 << 30, (3, 5, 7)) >> rng.integers(0, 30, (3, 5, 7))
    s_x, s_y = F32(0.013), F32(0.17)
    s_w = rng.uniform(0.001, 0.1, 5).astype(F32)
    scheme = FloatBias(kind, float(s_x), s_w, float(s_y))
    scale = FloatScale(s_w * s_x / s_y)
    np.testing.assert_array_equal(float_requantize(acc, scheme, 3), requantize(acc, scale, 3))


def test_nearest32_is_float32() -> None:
    rng = np.random.default_rng(2)
    values = rng.integers(0, 1 << 63, 4000).view(np.float64)
    values = values[np.isfinite(values) & (np.abs(values) < 1e39)]
    values = np.concatenate([values, rng.normal(size=2000), rng.normal(size=500) * 1e-40])
    with np.errstate(over="ignore", under="ignore"):
        expected = values.astype(F32).astype(float).tolist()
    assert [nearest32(Fraction(v)) for v in values.tolist()] == expected
    tie = Fraction(1) + Fraction(1, 1 << 24)
    assert nearest32(tie) == 1.0
    assert nearest32(tie + Fraction(1, 1 << 90)) == 1 + 2**-23
    assert nearest32(Fraction(10) ** 39) == math.inf
    assert nearest32(-(Fraction(10) ** 39)) == -math.inf


def test_layouts_and_empty() -> None:
    rng = np.random.default_rng(3)
    scheme = FloatBias("onednn", 0.01, (0.1, 0.2, 0.3), 0.05, (1.0, -2.0, 3.0))
    acc = rng.integers(-9999, 9999, (2, 5, 3, 4)).astype(np.int32).transpose(0, 2, 1, 3)
    expected = float_requantize(np.ascontiguousarray(acc), scheme, 1)
    np.testing.assert_array_equal(float_requantize(acc, scheme, 1), expected)
    np.testing.assert_array_equal(float_requantize(acc[::-1, :, ::-1], scheme, 1),
                                  expected[::-1, :, ::-1])  # fmt: skip
    last = float_requantize(acc.transpose(0, 2, 3, 1), scheme, 1, axis=-1)
    np.testing.assert_array_equal(last.transpose(0, 3, 1, 2), expected)
    ledger = Ledger(clamped=9)
    assert float_requantize(acc[:0], scheme, ledger=ledger).shape == (0, 3, 5, 4)
    assert (ledger.elements, ledger.clamped, ledger.first) == (0, 0, None)
    one = FloatBias("onednn", 0.01, (0.1,), 0.05, (1.0,))
    assert float_requantize(np.array([[[7], [8]]]), one, axis=2).shape == (1, 2, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gemm", 1.0, 1.0, 1.0), "kind must be"),
        (("onednn", 0.0, 1.0, 1.0), "input_scale must"),
        (("onednn", 1.0, (1.0, -1.0), 1.0), "weight_scale must"),
        (("onednn", 1.0, 1.0, math.inf), "output_scale must"),
        (("onednn", (1.0, 2.0), 1.0, 1.0), "input_scale must be a scalar"),
        (("onednn", 1.0, 1.0, 1.0, math.nan), "bias must"),
        (("onednn", 1.0, "1", 1.0), "weight_scale must be numbers"),
        (("onednn", 1.0, (1.0, 2.0), 1.0, (1.0, 2.0, 3.0)), "one length"),
        (("fbgemm-channel", 1e-30, 1e-30, 1.0), "leave float32"),
    ],
)
def test_refused_schemes(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        FloatBias(*arguments)


def test_refused_arguments() -> None:
    acc, scheme = np.zeros((1, 3), np.int32), FloatBias("onednn", 1.0, (1.0, 2.0), 1.0)
    with pytest.raises(ContractError, match="one value per channel"):
        float_requantize(acc, scheme)
    with pytest.raises(ContractError, match="must be a FloatBias"):
        float_requantize(acc, FloatScale(1.0))  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="zero_point"):
        float_requantize(acc, FloatBias("onednn", 1.0, 1.0, 1.0), 1 << 25)
    with pytest.raises(ContractError, match="acc must be an integer array"):
        float_requantize(acc * 1.0, FloatBias("onednn", 1.0, 1.0, 1.0))
