"""The float32 of the definitions: nearest to an exact number, ties to even, nothing hidden."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hw_models.addition.adders import f32

LARGEST = Fraction(float(np.finfo(np.float32).max))
LEAST = Fraction(2) ** -149  # the smallest above 0, and the step of all up to 2^-125


def test_what_a_double_holds_is_rounded_as_numpy_does() -> None:
    rng = np.random.default_rng(5)
    values = np.ldexp(rng.standard_normal(4000), rng.integers(-155, 120, 4000))
    ties = np.ldexp(rng.integers(-(1 << 25), 1 << 25, 2000).astype(float), rng.integers(-151, 90))
    for value in (*values.tolist(), *ties.tolist(), 0.0, 1.0, -1.0):
        assert float(f32(Fraction(value))) == float(np.float32(value)), value


@pytest.mark.parametrize("sign", [1, -1])
def test_ties_and_what_a_double_hides_beside_them(sign: int) -> None:
    for step, odd in (
        (Fraction(2) ** -23, 1 << 23 | 1),
        (LEAST, 1),
        (Fraction(2) ** 80, 1 << 23 | 5),
    ):
        tie, hidden = sign * step * (odd + Fraction(1, 2)), step / 2**70
        assert f32(tie) == sign * step * (odd + 1)
        assert f32(tie + hidden) == step * (odd + 1 if sign > 0 else -odd)
        assert f32(tie - hidden) == step * (odd if sign > 0 else -odd - 1)
    assert f32(sign * LEAST / 2) == 0
    assert f32(sign * (LARGEST + Fraction(2) ** 103 - 1)) == sign * LARGEST
    with pytest.raises(OverflowError, match="rounds to no finite float32"):
        f32(sign * (LARGEST + Fraction(2) ** 103))
