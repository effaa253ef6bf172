"""The codes at which a fused activation clamps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qsim.graph import clamp_range
from qsim.lowering.view import NotLowerableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import Node

    from qsim.lowering.builder import Builder
    from qsim.lowering.view import QParams


def clamp_codes(
    builder: Builder, nodes: Sequence[Node] | None = None, params: QParams | None = None
) -> list[int] | None:
    """Return [lo, hi] in output codes for the fused activations of a match, or None."""
    import hw_models as hw

    params = params or builder.match.result.params
    low, high = params.format.min, params.format.max
    for node in builder.match.clamps if nodes is None else nodes:
        bounds = clamp_range(node)
        if bounds is None:
            raise NotLowerableError("its activation's bounds are not constants")
        codes = [low, high]
        for side, bound in enumerate(bounds):
            if math.isfinite(bound):
                # Wide, so that a bound beyond the output's range is left to the output's own clamp.
                wide = hw.quantize(
                    np.array([bound], np.float32),
                    params.scale,
                    zero_point=params.zero_point,
                    output=hw.FixedFormat(32),
                    formula=builder.target.quantize.formula,
                )
                codes[side] = int(wide[0])
        low = min(max(low, codes[0]), params.format.max)
        high = max(min(high, codes[1]), params.format.min)
    if (low, high) == (params.format.min, params.format.max):
        return None
    return [low, high]
