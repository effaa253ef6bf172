"""Which scheme of ``hw_models`` each of LiteRT's kernels is; see ``docs/peers-litert.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.add import MultiplierAdd, ShiftedAdd
from hw_models.formats import FixedFormat
from hw_models.mean import over_count
from hw_models.requantize import requantize
from hw_models.schemes import FixedPoint, Float64Scale, FloatScale

if TYPE_CHECKING:
    from hw_models.schemes import Requantizer

F32 = np.float32
SETS = ("reference", "optimized", "xnnpack")

# The rescaling of an operator (with the widths of operands and bias where they matter), by set.
SCHEMES = {
    "CONV_2D": ("double", "double-half-up", "float32"),
    "DEPTHWISE_CONV_2D": ("double", "double-half-up", "float32"),
    "TRANSPOSE_CONV": ("double", "double-half-up", "float32"),
    "FULLY_CONNECTED": ("float64", "double-half-up", "float32"),
    "BATCH_MATMUL": ("double", "double", "double"),
    "CONV_2D/int16": ("s64-reduced", "s64-reduced", "s64-reduced"),
    "DEPTHWISE_CONV_2D/int16": ("s64-reduced", "s64-reduced", "s64-reduced"),
    "FULLY_CONNECTED/int16": ("float64", "float64", "float64"),
    "CONV_2D/int16/int32": ("double", "double-half-up", "double-half-up"),
    "FULLY_CONNECTED/int16/int32": ("float64", "double-half-up", "double-half-up"),
}


def scheme(kind: str, kernels: str, s_x: Any, s_w: Any, s_y: Any) -> Requantizer:
    """Return the requantizer of an operator, its parameters derived as LiteRT derives them."""
    name: Any = SCHEMES[kind][SETS.index(kernels)]
    s_w = np.asarray(s_w, F32)
    if name == "float32":
        return FloatScale(F32(s_x) * s_w / F32(s_y))
    # The fully connected layer's multiplier of one weight scale begins with a float32 product.
    product = name == "double-half-up" and kind.startswith("FULLY") and s_w.ndim == 0
    s = F32(s_x) * s_w if product else float(s_x) * s_w.astype(np.float64)
    factor = s / np.float64(s_y)
    return Float64Scale(factor) if name == "float64" else FixedPoint.from_scale(factor, 32, name)


def rescale(
    acc: np.ndarray, kind: str, kernels: str, s_x: Any, s_w: Any, s_y: Any, zero_point: int,
    dtype: str, clamp: tuple[int, int] | None = None,
) -> np.ndarray:  # fmt: skip
    """Return the codes of accumulators, channels last, as one kernel set makes them."""
    requantizer, form = scheme(kind, kernels, s_x, s_w, s_y), FixedFormat(int(dtype[3:]))
    return requantize(acc, requantizer, zero_point, form, clamp, axis=acc.ndim - 1)


def adder(kernels: str, s_a: Any, s_b: Any, s_y: Any, left_shift: int = 20) -> Any:
    """Return the adder of ADD and SUB; XNNPACK has two multipliers of 20 bits and one shift."""
    if kernels != "xnnpack":
        return ShiftedAdd.from_scales(float(s_a), float(s_b), float(s_y), left_shift)
    ratios = [F32(s) / F32(s_y) for s in (s_a, s_b)]
    shift = 21 - int(np.frexp(max(ratios))[1])
    factors = [int(np.rint(np.ldexp(float(ratio), shift))) for ratio in ratios]
    return MultiplierAdd(*factors, shift, "half_up")


def in_runs(value: np.ndarray, factor: float, zero_point: int = 0, bits: int = 8) -> np.ndarray:
    """Rescale whole runs of 16 elements of the last axis half up, the rest as gemmlowp."""
    whole = value.shape[-1] // 16 * 16
    parts = (value[..., :whole], "double-half-up"), (value[..., whole:], "double")
    return np.concatenate(
        [
            requantize(
                part, FixedPoint.from_scale(factor, 32, name), zero_point, FixedFormat(bits), axis=0
            )
            for part, name in parts
        ],
        axis=-1,
    )


def mean(
    total: np.ndarray, count: int, kernels: str, s_x: Any, z_x: int, s_y: Any, z_y: int, *,
    keep: bool,
) -> np.ndarray:  # fmt: skip
    """Return the mean of ``count`` int8 codes whose raw sum is ``total``, over height and width."""
    s_x, s_y = F32(s_x), F32(s_y)
    if kernels == "xnnpack":
        scale = F32(1 / F32(count)) * F32(s_x / s_y)
        bias = F32(z_y) - F32(count * z_x) * scale
        return np.rint(total.astype(F32) * scale + bias).clip(-128, 127).astype(np.int8)
    if kernels == "optimized" and keep:
        offset = F32(z_x) * s_x / s_y
        bias = z_y - int(offset + F32(0.5) if offset > 0 else offset - F32(0.5))
        return in_runs(total, float(s_x / (F32(count) * s_y)), bias)
    fixed = over_count(FixedPoint.from_scale(float(s_x) / float(s_y)), count)
    return requantize(total - count * z_x, fixed, z_y, FixedFormat(8), axis=0)
