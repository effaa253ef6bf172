"""A requantizer with the numbers of one beat, for that is what RTL computes with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

NUMBERS: Final = ("multiplier", "shift", "addend")


def one_channel(scheme: Any, shift: int, multiplier: int = 0, addend: int = 0) -> Any:
    """Return a scheme with the numbers of one beat; a beat has a converter's offset elsewhere."""
    from hw_models.schemes import Converter, FixedPoint, MulAddShift

    if isinstance(scheme, FixedPoint):
        return replace(scheme, multiplier=multiplier, right_shift=shift)
    if isinstance(scheme, Converter):
        return replace(scheme, offset=0, scale=multiplier, right_shift=shift)
    if isinstance(scheme, MulAddShift):
        return replace(scheme, mul=multiplier, add=addend, right_shift=shift)
    return replace(scheme, right_shift=shift)
