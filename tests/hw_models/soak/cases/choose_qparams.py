"""min_max and choose_qparams: ranges of every size, ties of zero points, scales at their bound."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.dynamic.choose_qparams import reference as choose_reference
from tests.hw_models.soak.comparing import difference
from tests.hw_models.soak.drawing import integer, laid_out, pick
from tests.hw_models.soak.exact import round_ratio
from tests.hw_models.soak.float_codes import f64
from tests.hw_models.soak.floats import f32

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng

SMALL = f32(Fraction(61, 10**6))
ENDS = ((-128, 127), (0, 255), (0, 127), (-64, 63), (-8, 7), (-127, 127), (-127, 127))
SCHEMES = (
    "torch",
    "torch-symmetric",
    "torch-per-token",
    "torch-per-token-symmetric",
    "fbgemm",
    "executorch",
    "onnx",
    "power-of-two",
    "power-of-two-symmetric",
    "no-clipping-symmetric",
)


def rint(value: Any) -> int:
    exact = Fraction(value)
    return round_ratio(exact.numerator, exact.denominator, "half_even")


def clamp(value: Any, rule: hw.QParamsRule) -> Any:
    return min(max(value, rule.low), rule.high)


def wanted(least: float, most: float, rule: hw.QParamsRule) -> tuple[float, int] | None:
    """Return scale and zero point in exact fractions; None where the scale is none."""
    lo, hi, n = (
        min(Fraction(least), Fraction(0)),
        max(Fraction(most), Fraction(0)),
        rule.high - rule.low,
    )
    eps, reach, middle = Fraction(rule.eps), max(-lo, hi), (rule.low + rule.high + 1) // 2
    if rule.formula in ("fbgemm", "executorch"):
        return fbgemm(lo, hi, n, rule)
    if rule.formula == "no-clipping":
        return float(max(f32(lo / rule.low), f32(hi / rule.high), eps)), middle
    if rule.formula == "torch-per-token" and rule.symmetric:
        return float(f32(max(reach, eps) / rule.high)), middle
    span = reach if rule.symmetric else f32(hi - lo)
    if isinstance(span, float):
        return None
    steps = Fraction(n, 2) if rule.symmetric else Fraction(n)
    if rule.formula == "power-of-two":
        scale = next(
            s for e in range(-149, 130) if (s := Fraction(2) ** e) >= max(eps, span / steps)
        )
        if scale >= 1 << 128:
            return None
    elif rule.formula == "onnx":
        scale = Fraction(1) if lo == hi else f32(span / steps)
        if scale == 0:
            return None
        return float(scale), rint(clamp(f32(rule.low - f32(lo / scale)), rule))
    else:
        scale = max(f32(span / steps), eps)
    if rule.symmetric:
        return float(scale), middle
    down, up = f32(lo / scale), f32(hi / scale)
    if rule.formula != "torch-per-token":
        return float(scale), clamp(rule.low - rint(down), rule)
    first = f32(f32(rule.low + down) + f32(rule.high + up)) > 0
    return float(scale), rint(clamp(f32(rule.low - down) if first else f32(rule.high - up), rule))


def fbgemm(lo: Fraction, hi: Fraction, n: int, rule: hw.QParamsRule) -> tuple[float, int]:
    scale = f64(f64(hi - lo) / n)
    narrow = f32(scale)
    if narrow == 0 or isinstance(f32(1 / narrow), float):
        scale = Fraction(0.1)
    if scale < SMALL:
        stretch = f32(SMALL / f32(scale))
        if lo == 0:
            hi = f32(SMALL * n)
        elif hi == 0:
            lo = f32(-SMALL * n)
        else:
            lo, hi = f32(lo * stretch), f32(hi * stretch)
        scale = SMALL
    down, up = f64(lo / scale), f64(hi / scale)
    first = f64(abs(rule.low) - abs(down)) < f64(abs(rule.high) - abs(up))
    zero = f64(rule.low - down) if first else f64(rule.high - up)
    zero = f32(zero) if rule.formula == "executorch" else zero
    return float(f32(scale)), rint(clamp(zero, rule))


def case_choose_qparams(rng: Rng, scheme: str) -> Outcome:
    formula = scheme.removesuffix("-symmetric")
    low, high = pick(rng, *ENDS)
    symmetric = formula != scheme
    if formula == "no-clipping":
        low, high = pick(rng, (-128, 127), (-8, 7))
    rule = hw.QParamsRule(
        formula,  # type: ignore[arg-type]
        low,
        high,
        symmetric,
        float(np.float32(pick(rng, 2.0**-23, 1e-5, 2.0**-126, 0.25))),
    )
    shape = integer(rng, 1, 5), integer(rng, 1, 4), integer(rng, 1, 9)
    size = 10.0 ** integer(rng, -44, 38)
    with np.errstate(over="ignore", under="ignore"):
        x = np.float32(rng.uniform(-1, 1, shape) * size)
    if rng.integers(3) == 0:  # a step of a power of two, and half codes of 0
        x = np.float32(
            rng.integers(2 * low - 1, 2 * high + 2, shape) * 2.0 ** integer(rng, -30, 30)
        )
        most = x.max()
        ends = (x.min(), most), (-most, most), (0, most), (-most, 3 * most)
        x[..., :1], x[..., -1:] = pick(rng, *ends)
    x = np.clip(pick(rng, x, x, np.abs(x), -np.abs(x)), -3.4e38, 3.4e38).astype(np.float32)
    rows = x.reshape(-1, shape[-1])
    expected = [wanted(float(row.min()), float(row.max()), rule) for row in rows]
    about = f"{rule!r} {x.tolist()!r:.600}"
    if None in expected:
        try:
            hw.choose_qparams(laid_out(rng, x), rule, (-1,))
        except hw.NonFiniteError as error:
            row = int(np.ravel_multi_index(error.index, (*shape[:-1], 1)))
            return x.size, None if row == expected.index(None) else f"refused row {row}", about
        return x.size, "a scale that is none was not refused", about
    made = [choose_reference(float(row.min()), float(row.max()), rule) for row in rows]
    scales, zeros = hw.choose_qparams(laid_out(rng, x), rule, (-1,))
    parts = list(zip(*[pair for pair in expected if pair is not None], strict=True))
    problem = (
        difference("scales", scales.reshape(-1), np.array(parts[0], np.float32))
        or difference("zero points", zeros.reshape(-1), np.array(parts[1], np.int64))
        or (None if made == expected else f"reference {made}, not {expected}")
    )
    return x.size, problem, about
