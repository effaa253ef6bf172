"""Rows of float32 values of every kind that a range can be made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

F32 = np.float32
MAX = float(np.finfo(F32).max)
WIDTHS = (2, 3, 5, 8, 9, 15, 16, 17, 31, 33, 64, 65)  # whole vectors and what they leave over


def blocks(
    seed: int, count: int, widths: tuple[int, ...] = WIDTHS
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield so many rows in blocks of different widths."""
    rng = np.random.default_rng(seed)
    size = min(1000, count // 4)
    for _ in range(count // size):
        yield rows(rng, size, int(rng.choice(widths)))


def rows(rng: np.random.Generator, count: int, width: int) -> npt.NDArray[np.float32]:
    """Draw rows: normal of any size, one-sided, constant, zero, denormal, huge, ties, sparse."""
    plain = rng.standard_normal((count, width)) * 10.0 ** rng.integers(-44, 37, (count, 1))
    halves = (rng.integers(-128, 128, (count, width)) + 0.5) * 2.0 ** rng.integers(
        -20, 20, (count, 1)
    )
    halves[:, 0] = 0
    kinds = (
        plain,
        np.abs(plain),
        -np.abs(plain),
        np.broadcast_to(plain[:, :1], plain.shape),
        rng.choice([0.0, -0.0], plain.shape),
        rng.integers(-2000, 2000, plain.shape) * 2.0**-149,
        rng.integers(-2, 3, plain.shape) * 2.0**-149,
        rng.uniform(-1, 1, plain.shape) * MAX * rng.choice([0.49, 1.0], (count, 1)),
        halves,
        np.where(rng.random(plain.shape) < 0.7, 0.0, plain),
        rng.standard_normal(plain.shape) * 3,
    )
    drawn = np.choose(rng.integers(0, len(kinds), (count, 1)), kinds)
    with np.errstate(over="ignore", under="ignore"):
        return drawn.astype(F32)


def with_infinities(
    rng: np.random.Generator, x: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Put infinities into some rows."""
    some = rng.random(x.shape) < rng.choice([0.0, 0.1, 0.9], (len(x), 1))
    return np.where(some, rng.choice([np.inf, -np.inf], x.shape), x).astype(F32)


def spans(x: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which rows have a finite difference of their ends, 0 among them."""
    with np.errstate(over="ignore"):
        return np.isfinite(np.maximum(x.max(1), 0) - np.minimum(x.min(1), 0))
