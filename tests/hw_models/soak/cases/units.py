"""Integer units for tables: TFLite's and XNNPACK's kernels, step by step in int64 arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.functions.curves import CURVE
from hw_models.tables import ByteLeakyRelu, HardSwish, LeakyRelu, Sigmoid16, Tanh16, unit_table
from tests.hw_models.soak.drawing import integer, pick
from tests.hw_models.soak.gemmlowp import divide_by_power
from tests.hw_models.soak.rescaling import fixed
from tests.hw_models.soak.schemes import draw

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng

INT16 = (-(1 << 15), (1 << 15) - 1)


def _mulh16(a: Any, b: int) -> Any:
    """SaturatingRoundingDoublingHighMul of int16: a nudge, then C's division."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    quotient = np.sign(nudged) * (np.abs(nudged) >> 15)
    return np.where((a == b) & (a == INT16[0]), INT16[1], quotient)


def _hard_swish(unit: HardSwish, codes: Any) -> Any:
    """hard_swish.h."""
    fine = ((codes - unit.input_zero_point) * 128 + 32768) % 65536 - 32768
    scaled, reluish, up = _mulh16(fine, unit.multiplier), fine, unit.reluish_exponent
    if up > 0:
        reluish = np.clip(reluish * 2 ** (up - 1), *INT16)
    reluish = _mulh16(reluish, unit.reluish_multiplier)
    if up > 0:
        reluish = np.clip(reluish * 2, *INT16)
    if up < 0:
        reluish = divide_by_power(reluish, -up)
    gate = (reluish + 32768) >> 1
    product = gate * scaled
    truncated = np.sign(product) * (np.abs(product) >> 15)
    return divide_by_power(truncated, unit.right_shift) + unit.zero_point


def _leaky(unit: LeakyRelu, codes: Any) -> Any:
    """leaky_relu.h."""
    values = (codes - unit.input_zero_point).tolist()
    rescaled = [fixed(v, unit.positive if v >= 0 else unit.negative) for v in values]
    return np.array(rescaled, object) + unit.zero_point


def _byte_leaky(unit: ByteLeakyRelu, codes: Any) -> Any:
    """qs8-vlrelu/scalar: a multiplier by sign, a bias of a half, a shift by 8."""
    values = codes - unit.input_zero_point
    product = values * np.where(values >= 0, unit.positive, unit.negative)
    return ((product + 128) >> 8) + unit.zero_point


def _curved(unit: Sigmoid16 | Tanh16, codes: Any) -> Any:
    """logistic.h and tanh.h of int16."""
    tanh = isinstance(unit, Tanh16)
    half = 1 << (unit.right_shift - 1) if unit.right_shift else 0
    value = (codes * unit.multiplier + half) >> unit.right_shift
    bits = 8 if tanh else 9
    size, samples = np.abs(value), np.array(CURVE, np.int64)
    index = np.minimum(size >> bits, 254)
    line = samples[index] * (1 << bits) + (size & ((1 << bits) - 1)) * (
        samples[index + 1] - samples[index]
    )
    if tanh:
        line = np.where(size >> bits >= 255, 0xFFFF << 8, line) - (1 << 23)
        return np.where(value >= 0, line + 128, 127 - line) >> 8
    line = np.where(size >> bits >= 255, 0x7FFF << 10, line)
    return np.where(value >= 0, line + 512, (1 << 25) - line + 511) >> 10


def _unit(rng: Rng, name: str, codes_: hw.FixedFormat, output: hw.FixedFormat) -> tuple[Any, Any]:
    """Draw a unit; with it, its arithmetic again."""
    zeros = [integer(rng, f.min, f.max) for f in (codes_, output)]
    if name == "hard_swish":
        if rng.integers(2):
            scale = float(2.0 ** rng.uniform(-8, -2))
            ratio = float(2.0 ** rng.uniform(-3, 2))
            return HardSwish.from_scales(scale, scale * ratio, *zeros), _hard_swish
        m, r = (integer(rng, *INT16) for _ in range(2))
        shifts = int(rng.integers(0, 16)), int(rng.integers(-15, 16))
        return HardSwish(m, shifts[0], r, shifts[1], *zeros), _hard_swish
    if name == "leaky_relu":
        if rng.integers(2):
            scales = [float(2.0 ** rng.uniform(-8, -2)) for _ in range(2)]
            return LeakyRelu.from_scales(*scales, float(rng.uniform(0, 1)), *zeros), _leaky
        rescales: Any = [draw(rng, pick(rng, "double", "double-half-up", "single"))] * 2
        return LeakyRelu(*rescales, *zeros), _leaky
    if name == "byte_leaky_relu":
        positive = integer(rng, 0, 1 << 15)
        return ByteLeakyRelu(positive, integer(rng, -(1 << 15), 1 << 15), *zeros), _byte_leaky
    kind = Sigmoid16 if name == "sigmoid16" else Tanh16
    if rng.integers(2):
        return kind.from_scale(float(2.0 ** int(rng.integers(-15, 1)))), _curved
    return kind(integer(rng, 0, INT16[1]), int(rng.integers(0, 32))), _curved


def case_units(rng: Rng, name: str) -> Outcome:
    wide = name in ("sigmoid16", "tanh16")
    bits = int(pick(rng, 16, *(9, 10, 11) * 4)) if wide else 8  # 16 bits: 65,536 codes a case
    codes_ = hw.FixedFormat(bits, wide or bool(rng.integers(3)))
    output = hw.FixedFormat(16) if wide else hw.FixedFormat(8, codes_.signed)
    unit, arithmetic = _unit(rng, name, codes_, output)
    codes = np.arange(codes_.min, codes_.max + 1)
    exact = [min(max(int(v), output.min), output.max) for v in arithmetic(unit, codes)]
    made = unit_table(unit, codes_, output).tolist()
    wrong = [i for i, (a, b) in enumerate(zip(made, exact, strict=True)) if a != b]
    problem = None
    if wrong:
        i = min(wrong, key=lambda j: abs(int(codes[j])))
        problem = f"code {codes[i]}: {made[i]}, the oracle says {exact[i]} ({len(wrong)} differ)"
    return len(made), problem, f"{unit!r} {codes_!r} {output!r}"
