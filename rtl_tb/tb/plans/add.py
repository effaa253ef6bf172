"""What is to be covered of add."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rtl_tb.tb import arithmetic
from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Values

_SHIFTED: Final = (0, 1)  # SCHEME
_ALIGNED, _MULTIPLIER = 2, 3


def sample(
    beats: Sequence[Values], _results: Sequence[Values], parameters: Parameters
) -> Iterator[str]:
    """Yield the bins that one addition reaches."""
    beat = {name: lanes[0] for name, lanes in beats[0].items()}
    a, b = beat["a"] - beat["a_zero_point"], beat["b"] - beat["b_zero_point"]
    if a and b:
        yield f"{arithmetic.sign(a)}_and_{arithmetic.sign(b)}"
    else:
        yield "operand_zero"
    if parameters["SCHEME"] == _ALIGNED:
        value, shift = (a << beat["a_left"]) + (b << beat["b_left"]), beat["shift"]
        yield from arithmetic.ties(value, 1 << max(shift, 0))
        real = value * Fraction(2) ** -shift
    elif parameters["SCHEME"] == _MULTIPLIER:
        value, shift = a * beat["a_multiplier"] + b * beat["b_multiplier"], beat["shift"]
        yield from arithmetic.ties(value, 1 << shift)
        real = Fraction(value, 1 << shift)
    elif parameters["SCHEME"] in _SHIFTED:
        value = _rescaled(a, "a", beat, parameters) + _rescaled(b, "b", beat, parameters)
        multiplier, shift = beat["out_multiplier"], beat["out_shift"]
        scheme, mul_w = parameters["SCHEME"], parameters["MUL_W"]
        yield from arithmetic.fixed_ties(value, multiplier, shift, scheme, mul_w)
        real = Fraction(value * multiplier, 1 << shift)
    else:
        raise ValueError(f"SCHEME must be 0 to 3, not {parameters['SCHEME']}")
    yield from arithmetic.range_bins(real + beat["zero_point"], beat["low"], beat["high"])


def _rescaled(x: int, name: str, beat: Mapping[str, int], parameters: Parameters) -> int:
    multiplier, shift = beat[f"{name}_multiplier"], beat[f"{name}_shift"]
    lifted = x << parameters["LEFT_SHIFT"]
    return arithmetic.fixed(lifted, multiplier, shift, parameters["SCHEME"], parameters["MUL_W"])


PLAN = Plan(
    bins=(
        "negative_and_negative",
        "negative_and_positive",
        "positive_and_negative",
        "positive_and_positive",
        "operand_zero",
        "tie_negative",
        "tie_positive",
        "saturates_low",
        "saturates_high",
        "inside",
    ),
    sample=sample,
)
