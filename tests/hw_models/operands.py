"""Operands that the tests of addition and of subtraction share."""

from __future__ import annotations

import numpy as np


def codes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two tensors of signed 8-bit codes, the four corners among their pairs."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-128, 128, (2, 160), np.int8)
    a[:4], b[:4] = [-128, -128, 127, 127], [-128, 127, -128, 127]
    return a.reshape(2, -1), b.reshape(2, -1)
