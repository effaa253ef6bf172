"""The definitions of the integer requantizers on an SMT solver's bit-vectors."""

from __future__ import annotations

import random

import pytest
import z3

from hw_models.rounding import DETERMINISTIC
from hw_models.schemes import FIXED_REFERENCES, Converter, FixedPoint, MulAddShift, PowerOfTwo

WIDTH = 130


def value(vector):
    return z3.simplify(vector).as_signed_long()


@pytest.mark.parametrize("rounding", FIXED_REFERENCES)
def test_fixed_point(rounding):
    """With the multiplier in the object, and as a bit-vector of its own."""
    rng = random.Random(5)  # noqa: S311  # test vectors, not secrets
    for _ in range(150):
        x = rng.randrange(-(1 << 31), 1 << 31) >> rng.randrange(31)
        m, s = rng.randrange(1 << 31) >> rng.choice([0, 0, 9]), rng.randrange(32, 50)
        scheme = FixedPoint(m, s, rounding)
        vector = z3.BitVecVal(x, WIDTH)
        assert value(scheme.reference(vector, select=z3.If)) == scheme.reference(x)
        free = FIXED_REFERENCES[rounding](vector, z3.BitVecVal(m, WIDTH), s, 32, z3.If)
        assert value(free) == scheme.reference(x)


def test_shifts_and_sums():
    rng = random.Random(6)  # noqa: S311  # test vectors, not secrets
    for rounding in DETERMINISTIC:
        for _ in range(40):
            x = rng.randrange(-(1 << 40), 1 << 40) >> rng.randrange(40)
            m, s = rng.randrange(-(1 << 15), 1 << 15), rng.randrange(0, 20)
            for scheme in (
                PowerOfTwo(s, rounding), MulAddShift(m, 7 * m, s, rounding), Converter(-m, m, s)
            ):  # fmt: skip
                made = scheme.reference(z3.BitVecVal(x, WIDTH), select=z3.If)
                assert value(made) == scheme.reference(x)
