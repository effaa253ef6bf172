"""Lengths, quotients, roots: against math, on every edge, and proved on bit-vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hw_models.integer.digits import (
    compiled_length,
    compiled_root,
    compiled_scaled,
    length,
    quotient,
    root,
    scaled,
)

EDGES = sorted({n for p in range(0, 62, 3) for n in ((1 << p) - 1, 1 << p, (1 << p) + 1)})
SQUARES = [n for r in (1, 46340, 46341, (1 << 31) - 1) for n in (r * r - 1, r * r, r * r + 1)]


def test_roots_are_floors_and_end_where_newton_does() -> None:
    drawn = np.random.default_rng(0).integers(0, 1 << 62, 300).tolist()
    for n in [*range(1025), *EDGES, *SQUARES, *drawn]:
        assert root(n, 31) == math.isqrt(n) == compiled_root(n) == _newton(n)


def _newton(n: int) -> int:
    """Return what algorithm 4 of arXiv 2101.01321 ends with."""
    if n == 0:
        return 0
    x = 1 << -(-n.bit_length() // 2)
    while (following := (x + n // x) // 2) < x:
        x = following
    return x


def test_lengths_shifts_and_quotients() -> None:
    for n in [*range(300), *EDGES]:
        assert length(n, 63) == n.bit_length() == compiled_length(n)
        for places in (-63, -3, 0, 1):
            exact = n << places if places >= 0 else n // (1 << -places)
            assert scaled(n, places) == exact == compiled_scaled(n, places)
    for b in (1, 2, 3, 255, 32768, (1 << 30) - 1):
        for q in (0, 1, 2, 1000, 65535):
            for rest in {0, b - 1, b // 2}:
                assert quotient(q * b + rest, b, 16) == q


def test_digits_hold_for_every_bit_vector() -> None:
    z3 = pytest.importorskip("z3")
    n, b = z3.BitVec("n", 20), z3.BitVec("b", 20)
    held, found = root(n, 4, z3.If), quotient(n, b, 8, z3.If)
    bits = length(n, 8, z3.If)
    one: Any = z3.BitVecVal(1, 20)
    inside = z3.And(n >= 0, n < 256, b > 0, b < 256)
    claims = z3.And(
        held * held <= n,
        (held + 1) * (held + 1) > n,
        found * b <= n,
        (found + 1) * b > n,
        n < one << bits,
        z3.Or(n == 0, n >= one << (bits - 1)),
    )
    solver = z3.Solver()
    solver.add(inside, z3.Not(claims))
    assert solver.check() == z3.unsat
