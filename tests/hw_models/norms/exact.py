"""Normalized rows in float64, and how near integers must be to them."""

from __future__ import annotations

from typing import Any

import numpy as np

import hw_models as hw


def exact(rows: Any, norm: hw.IntegerNorm, *, centred: bool = True) -> Any:
    """Normalize in float64, with the epsilon that the norm has."""
    x = rows.astype(np.float64)
    x = x - x.mean(-1, keepdims=True) if centred else x
    eps = norm.epsilon / 2**norm.guard / x.shape[-1] ** 2
    scale = np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return np.divide(x, scale, out=np.zeros_like(x), where=scale > 0)


def within(acc: Any, z: Any, norm: hw.IntegerNorm) -> bool:
    """Return whether normalized values are as near as the contract says."""
    error = np.abs(acc / 2.0**norm.fraction - z)
    bound = np.abs(z) * (2.0 ** (1 - norm.root_bits) + 2.0**-40) + 2.0 ** -(norm.fraction + 1)
    return bool((error <= bound).all())
