"""Tables of real functions, float step by float step, and of integer units in C++'s arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.rounding import DETERMINISTIC
from hw_models.tables import TableArithmetic, reference, require_function, table
from tests.hw_models.soak.drawing import integer, number_format, pick
from tests.hw_models.soak.exact import round_ratio

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def _in_float64(function: Any, x: Any) -> Any:
    """Element by element, by the mathematics library, and once to the type of x."""

    def one(v: float) -> float:
        try:
            return float(function(v))
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return np.array([one(v) for v in x.astype(np.float64).tolist()], np.float64).astype(x.dtype)


def _curve(name: str, x: Any) -> Any:
    """The functions on arrays of float32 or float64."""
    r = x.dtype.type
    gate = np.minimum(np.maximum(x + r(3), r(0)), r(6)) / r(6)
    match name:
        case "sigmoid":
            return r(1) / (r(1) + _in_float64(math.exp, -x))
        case "silu":
            return x / (r(1) + _in_float64(math.exp, -x))
        case "elu":
            return np.where(x < 0, _in_float64(math.expm1, np.minimum(x, r(0))), x)
        case "log":
            return np.where(x == 0, r(-math.inf), _in_float64(math.log, x))
        case "rsqrt":
            return np.where(x == 0, r(math.inf), r(1) / _in_float64(math.sqrt, x))
        case "hard_sigmoid":
            return gate
        case "hard_swish":
            return x * gate
        case "gelu":
            return x * r(0.5) * _in_float64(math.erfc, x * -r(math.sqrt(0.5)))
        case "gelu_tanh":
            cubic = x + r(0.044715) * x * x * x
            inner = _in_float64(math.tanh, r(math.sqrt(2 / math.pi)) * cubic)
            return x * r(0.5) * (r(1) + inner)
    return _in_float64(getattr(math, name), x)


def _entry(ratio: float, rounding: str, zero: int, form: hw.FixedFormat) -> int:
    if math.isinf(ratio) or abs(ratio) >= 1 << 40:
        return form.max if ratio > 0 else form.min
    exact = Fraction(ratio)
    if rounding == "jam":
        rounded = exact.numerator // exact.denominator
        rounded |= exact.denominator != 1
    else:
        rounded = round_ratio(exact.numerator, exact.denominator, rounding)
    return min(max(rounded + zero, form.min), form.max)


def case_tables(rng: Rng, name: str) -> Outcome:
    codes_, output = number_format(rng, 10), number_format(rng)
    codes_ = codes_ if codes_.bits <= 10 else hw.FixedFormat(8)
    scales = [float(2.0 ** rng.uniform(-9, 0)), float(2.0 ** rng.uniform(-9, 0))]
    if not rng.integers(3):  # ties abound
        scales = [2.0 ** int(e) for e in rng.integers(-8, 0, 2)]
    zeros = [pick(rng, 0, integer(rng, f.min, f.max)) for f in (codes_, output)]
    rounding = pick(rng, "half_away", "half_even", *DETERMINISTIC)
    arithmetic = TableArithmetic(pick(rng, "float32", "float64"), rounding, bool(rng.integers(2)))
    undefined = integer(rng, output.min, output.max)
    r = np.dtype(arithmetic.dtype).type
    codes = np.arange(codes_.min, codes_.max + 1)
    with np.errstate(all="ignore"):
        value = _curve(name, r(scales[0]) * (codes - zeros[0]).astype(r))
        out = r(scales[1])
        ratios = (value / out if arithmetic.divide else value * (r(1) / out)).astype(float).tolist()
    want = [
        undefined if ratio != ratio else _entry(ratio, rounding, zeros[1], output)
        for ratio in ratios
    ]
    made = table(name, *scales, *zeros, codes_, output, arithmetic, undefined)
    compute = require_function(name)
    step = max(len(want) // 50, 1)
    pair, points = (scales[0], scales[1]), (zeros[0], zeros[1])
    defined = [reference(int(c), compute, pair, points, output, arithmetic) for c in codes[::step]]
    about = f"{name} {scales} {zeros} {codes_!r} {output!r} {arithmetic}"
    wrong = [i for i, (a, b) in enumerate(zip(made.tolist(), want, strict=True)) if a != b]
    if wrong or made.dtype != output.dtype:
        i = wrong[0] if wrong else 0
        return len(want), f"code {codes[i]}: {made[i]}, the oracle says {want[i]}", about
    if [undefined if d is None else d for d in defined] != want[::step]:
        return len(want), "reference differs", about
    return len(want), None, about
