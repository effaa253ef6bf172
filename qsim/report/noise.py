"""Signal and noise of a tensor: what the float graph has there, and what the hardware's misses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qsim.network import Trace
    from qsim.report.result import Layer

Array: TypeAlias = npt.NDArray[Any]

# A mask of constants adds -2**30 in the float graph (``quantizer.passes.masks``), and on hardware
# what its least codes are: either way nothing is left of the score behind the softmax.
_HIDES: Final = -(2.0**29)


def powers(exact: Array, value: Array) -> tuple[float, float]:
    """Return the power of a float graph's values, and of what other values miss of them.

    What a mask hides is neither.
    """
    hidden = (exact <= _HIDES) & (value > exact / 2)
    if hidden.any():
        exact, value = exact[~hidden], value[~hidden]
    return float(np.square(exact).sum()), float(np.square(exact - value).sum())


def against_float(
    layer: Layer, trace: Trace, scales: Mapping[str, tuple[float, int]]
) -> Callable[[Array], None]:
    """Return what adds the values of a layer in the float graph to its signal and noise."""
    scale, zero_point = scales[layer.node]

    def visit(real: Array) -> None:
        codes = trace.tensors[layer.tensor].astype(np.float64)
        signal, noise = powers(real.astype(np.float64), (codes - zero_point) * scale)
        layer.has_float = True
        layer.signal += signal
        layer.noise += noise

    return visit
