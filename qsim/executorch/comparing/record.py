"""One tensor that an operator made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Record:
    """One tensor that an operator made.

    Attributes:
        name: where: an instruction, a layer, a node.
        operator: what.
        label: what, in words that all programs share: see ``labels``.
        kind: ``codes`` (what quantize makes), ``real`` (what dequantize makes), ``value``, or the
            primitive that made an accumulator.
        key: its name inside a delegate, which every delegate of the same network has; else empty.
        array: its values.
        dtype: their type.
        zero_point: of codes, where it is known.
    """

    name: str
    operator: str
    label: str
    kind: str
    key: str
    array: np.ndarray[Any, Any]
    dtype: str
    zero_point: int | None = None

    @classmethod
    def of(
        cls,
        value: Any,
        name: str,
        operator: str,
        label: str,
        kind: str,
        key: str = "",
        zero_point: Any = None,
    ) -> Record:
        """Return the record of a tensor or an array."""
        dtype = str(value.dtype).removeprefix("torch.")
        if isinstance(value, torch.Tensor):
            value = value.detach()
            # NumPy has no such type, and float32 holds its numbers.
            value = (value.float() if dtype == "bfloat16" else value).numpy()
        known = zero_point if kind == "codes" and isinstance(zero_point, int) else None
        return cls(name, operator, label, kind, key, np.asarray(value), dtype, known)
