"""How strongly roundings are driven to 0 or 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qsim.quantizer.settings import Reconstruction

_STEEP, _FLAT = 20.0, 2.0


def beta(settings: Reconstruction, step: int) -> float | None:
    """Return the exponent of the driving term at a step; None in the warm-up, which has no term.

    It falls as half a cosine from 20, where roundings are left alone, to 2. AdaRound's authors
    publish the ends and the warm-up (section 4 of arXiv:2004.10568), not the curve.
    """
    begin = settings.warm_up * settings.iterations
    if step < begin:
        return None
    share = (step - begin) / max(settings.iterations - begin, 1.0)
    return _FLAT + (_STEEP - _FLAT) * 0.5 * (1.0 + math.cos(math.pi * share))
