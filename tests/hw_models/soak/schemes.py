"""Requantizers with random parameters: every name of every scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.rounding import DETERMINISTIC
from tests.hw_models.soak.drawing import integer, pick

if TYPE_CHECKING:
    from hw_models.schemes import Requantizer
    from tests.hw_models.soak.driver import Rng

TWICE = ("double", "double-half-up")
TOSA = ("tosa-single", "tosa-double", "tosa-16")
FIXED = (*TWICE, "single", "s64-reduced", *TOSA)
AFFINE = tuple(f"mul-add-shift-{r}" for r in DETERMINISTIC)
FLOAT = ("float", "float64")
NAMES = (*FIXED, *FLOAT, "converter", *hw.ROUNDINGS, *AFFINE)
# For primitives that only pass a requantizer on: one of them is drawn for each case.
FAMILIES = {
    "fixed-point": FIXED,
    "power-of-two": hw.ROUNDINGS,
    "multiply-add": (*AFFINE, "converter"),
    "float-scale": FLOAT,
}
INT32 = (-(1 << 31), (1 << 31) - 1)
INT64 = (-(1 << 63), (1 << 63) - 1)


def draw(rng: Rng, name: str, channels: int = 0) -> Requantizer:
    """Draw a scheme, per channel where ``channels`` is not 0."""
    size = max(channels, 1)

    def column(one: Any) -> Any:
        values = [one() for _ in range(size)]
        return tuple(values) if channels else values[0]

    if name in FIXED:
        return _fixed(rng, name, column)
    if name == "float":
        return hw.FloatScale(column(lambda: _scale(rng, 2.0**-140, 2.0**100)))
    if name == "float64":
        return hw.Float64Scale(column(lambda: _scale(rng, 2.0**-1060, 2.0**900)))
    if name == "converter":
        offset = pick(rng, 1, 100, 1 << 16, 1 << 31)
        return hw.Converter(
            column(lambda: integer(rng, -offset, offset - 1)),
            column(lambda: integer(rng, -(1 << 15), (1 << 15) - 1)),
            column(lambda: _shift(rng, 0)),
        )
    if name in AFFINE:
        return _affine(rng, name.removeprefix("mul-add-shift-"), column)
    return hw.PowerOfTwo(column(lambda: _shift(rng, -62)), name, int(rng.integers(1 << 62)))


def reach(q: Requantizer, channel: int = 0) -> tuple[int, int]:
    """The integers that a scheme does not refuse."""
    if not isinstance(q, hw.FixedPoint) or q.operand_bits == 64:
        return INT64
    if q.rounding in TWICE:
        return INT32
    m = int(q.multipliers[channel % len(q.multipliers)])
    s = int(q.shifts[channel % len(q.shifts)])
    bits = min(s, 32) if q.bits == 32 else 48
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if m:  # below 2**31 after half up, or half up and a nudge away from zero
        nudge = 1 << 30 if q.rounding == "tosa-double" and s > 31 else 0
        high = min(high, ((1 << (31 + s)) - (1 << (s - 1)) - nudge - 1) // m)
        low = max(low, -(((1 << (31 + s)) + (1 << (s - 1)) - nudge) // m))
    return low, max(low, high)


def _shift(rng: Rng, least: int) -> int:
    return int(pick(rng, rng.integers(0, 24), rng.integers(0, 24), rng.integers(least, 63)))


def _scale(rng: Rng, least: float, most: float) -> float:
    if not rng.integers(6):
        return float(pick(rng, least, 1.0, 0.5, 2.0**-8, most))
    value = float(2.0 ** rng.uniform(-24, 3))
    return value if rng.integers(2) else float(np.float32(value))


def _fixed(rng: Rng, name: str, column: Any) -> hw.FixedPoint:
    bits = pick(rng, 32, 32, 16, 8, int(rng.integers(2, 33)))
    if name not in (*TWICE, "single"):
        bits = 16 if name == "tosa-16" else 32
    top = (1 << (bits - 1)) - 1
    lowest = 0 if name in TOSA else -top - 1
    least = 2 if name in TOSA else 16 if name == "s64-reduced" else 0
    most = bits + 30 if name in TWICE else 62
    usual = bits - 1 + int(rng.integers(0, min(14, most - bits + 1) + 1))

    def multiplier() -> int:
        return integer(rng, top // 2, top) if rng.integers(4) else integer(rng, lowest, top)

    def shift() -> int:
        common = max(min(usual, most), least)
        return int(pick(rng, common, common, rng.integers(least, most + 1)))

    rounding: Any = "tosa-single" if name == "tosa-16" else name
    return hw.FixedPoint(column(multiplier), column(shift), rounding, bits)


def _affine(rng: Rng, rounding: Any, column: Any) -> hw.MulAddShift:
    bits = pick(rng, 1, 8, 16, 31)
    most = pick(rng, 0, 1 << 8, 1 << 24, 1 << 47)

    def multiplier() -> int:
        power = 1 << int(rng.integers(0, bits))  # ties abound
        return power if not rng.integers(3) else integer(rng, -(1 << bits), (1 << bits) - 1)

    return hw.MulAddShift(
        column(multiplier),
        column(lambda: integer(rng, -most, max(most - 1, 0))),
        column(lambda: _shift(rng, 0)),
        rounding,
    )
