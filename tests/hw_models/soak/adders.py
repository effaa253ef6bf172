"""Schemes of addition with random parameters, and their arithmetic again."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.rounding import DETERMINISTIC
from tests.hw_models.soak.drawing import codes, integer, pick
from tests.hw_models.soak.exact import leaves, shift_round, store
from tests.hw_models.soak.floats import f32, whole
from tests.hw_models.soak.rescaling import fixed
from tests.hw_models.soak.schemes import FIXED, TOSA

if TYPE_CHECKING:
    from hw_models.add import Adder
    from tests.hw_models.soak.driver import Rng

DERIVED = ("double", "double-half-up", "single", "tosa-single", "tosa-double")


def _rescale(rng: Rng, left: int) -> hw.FixedPoint:
    name = pick(rng, "double", *FIXED)
    bits = 16 if name == "tosa-16" else 32
    m = integer(rng, 1 << (bits - 4), (1 << (bits - 1)) - 1)
    m = m if name in TOSA else m * pick(rng, 1, 1, 1, -1)
    rounding: Any = "tosa-single" if name == "tosa-16" else name
    return hw.FixedPoint(m, bits - 1 + int(rng.integers(0, left + 1)), rounding, bits)


def draw_adder(rng: Rng, name: str) -> Adder:
    scales = [float(np.float32(2.0 ** rng.uniform(-9, 2))) for _ in range(3)]
    if name == "shifted":
        left = int(pick(rng, 20, 15, rng.integers(0, 31)))
        if rng.integers(2):
            return hw.ShiftedAdd.from_scales(*scales, left, pick(rng, *DERIVED))
        return hw.ShiftedAdd(left, _rescale(rng, 2), _rescale(rng, 2), _rescale(rng, left))
    if name == "aligned":
        shift = int(pick(rng, rng.integers(0, 12), rng.integers(-62, 63)))
        register = hw.Accumulator(
            int(pick(rng, 8, 12, 16, 32, rng.integers(2, 65))),
            pick(rng, "wrap", "saturate", "saturate_symmetric", "error"),
        )
        a, b = (int(pick(rng, 0, 3, rng.integers(0, 31))) for _ in range(2))
        return hw.AlignedAdd(a, b, hw.PowerOfTwo(shift, pick(rng, *DETERMINISTIC)), register)
    if name == "multiplier":
        if rng.integers(2):
            reach = 256 * max(scales[:2])  # a larger output scale needs a shift beyond 31
            return hw.MultiplierAdd.from_scales(*scales[:2], min(scales[2], reach))
        a, b = codes(rng, 2, -(1 << 23), (1 << 23) - 1)
        return hw.MultiplierAdd(a, b, int(rng.integers(0, 32)), pick(rng, *DETERMINISTIC))
    if not rng.integers(3):
        scales = [2.0 ** int(e) for e in rng.integers(-12, 4, 3)]  # ties abound
    if not rng.integers(6):
        scales = [2.0 ** float(e) for e in rng.uniform(-45, 45, 3)]
    formula: Any = name
    return hw.FloatAdd(*scales, formula)


def _shifted(adder: hw.ShiftedAdd, p: int, q: int, sign: int) -> int | None:
    """sub.h and add.h; None: outside the 32-bit register, or refused by TOSA."""
    lifted = (p * 2**adder.left_shift, q * 2**adder.left_shift)
    if any(leaves(v, 32, "wrap") for v in lifted):
        return None
    u, v = fixed(lifted[0], adder.a), fixed(lifted[1], adder.b)
    if u is None or v is None or leaves(u + sign * v, 32, "wrap"):
        return None
    return fixed(u + sign * v, adder.out)


def _float(a: int, b: int, z: tuple[int, ...], adder: hw.FloatAdd) -> int:
    """z: zero points of a, b and the result."""
    formula = adder.formula
    sa, sb, so = (Fraction(v) for v in (adder.scale_a, adder.scale_b, adder.scale_out))
    za, zb, zo = z
    if formula == "mlas":
        ra, rb = f32(sa / so), f32(sb / so)
        point = f32(f32(zo) - f32(ra * f32(za) + f32(rb * f32(zb))))
        return whole(f32(f32(a) * ra + f32(f32(b) * rb + point)))
    if formula == "torch_quantized":
        parts = [f32(f32(q) * v + f32(v * -f32(p))) for q, v, p in ((a, sa, za), (b, sb, zb))]
    else:
        parts = [f32(f32(q - p) * v) for q, v, p in ((a, sa, za), (b, sb, zb))]
    total = f32(parts[0] + parts[1])
    if formula == "onnx":
        return whole(f32(total / so)) + zo
    scaled = f32(total * f32(1 / so))
    if formula == "torch_scalar":
        return whole(f32(scaled + f32(zo)))
    return whole(scaled) + zo


def combined(
    adder: Adder, a: int, b: int, zeros: list[int], sign: int, *, negated: bool
) -> tuple[int | None, int | None]:
    """The value before the clamp (None: refused) and, of an accumulator, its exact sum.

    ``sign`` -1 subtracts; ``negated``: a ShiftedAdd negates the operand, not the rescaled term.
    """
    p, q, zero = a - zeros[0], b - zeros[1], zeros[2]
    if isinstance(adder, hw.ShiftedAdd):
        value = _shifted(adder, p, -q, 1) if negated else _shifted(adder, p, q, sign)
        return (None if value is None else value + zero), None
    if isinstance(adder, hw.AlignedAdd):
        total = p * 2**adder.left_a + sign * q * 2**adder.left_b
        kept = store(total, adder.accumulator.bits, adder.accumulator.overflow)
        k = int(adder.out.shifts[0])
        return shift_round(kept, k, adder.out.rounding) + zero, total
    if isinstance(adder, hw.MultiplierAdd):
        total = p * adder.multiplier_a + sign * q * adder.multiplier_b
        return shift_round(total, adder.right_shift, adder.rounding) + zero, None
    return _float(a, sign * b, (zeros[0], sign * zeros[1], zero), adder), None
