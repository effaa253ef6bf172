"""Whether a target's datapath has the parameters that a graph states: the whole scheme of a tensor.

A graph may have been quantized for another target. What fits the width is not enough: a zero point
where the datapath has none, scales per channel where it has one, a scale that is no power of two
where it shifts, would all be computed by hardware that is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsim.lowering.view import NotLowerableError
from qsim.registry import Reason
from qsim.target import has_zero_point

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models import FixedFormat
    from qsim.lowering.builder import Codes
    from qsim.lowering.view import Constant, FloatLike
    from qsim.target import Bias, Input, Output, Scheme, Weight


class SchemeError(NotLowerableError):
    """A tensor's parameters are none that the target's datapath has.

    Attributes:
        found: the tensor and what it has.
        accepted: what the target has there.
    """

    def __init__(self, found: str, accepted: str) -> None:
        self.found, self.accepted = found, accepted
        super().__init__(Reason("scheme", f"{found}; {accepted}"))


def check_activation(codes: Codes, section: Input | Output) -> None:
    """Require an activation's codes, zero point and scale to be the section's."""
    params, name = codes.params, f"tensor {codes.name}"
    _check_format(name, params.format, section.format, section.section)
    _check_scheme(name, params.scale, params.zero_point, section.scheme, section.section)


def check_weight(name: str, weight: Constant, section: Weight) -> None:
    """Require a weight's codes, zero points, scales and their number to be the section's."""
    _check_format(name, weight.format, section.format, section.section)
    scales = np.unique(np.asarray(weight.scale))
    if not section.per_channel and scales.size > 1:
        raise SchemeError(
            f"{name} has {np.asarray(weight.scale).size} scales, one per channel",
            "the target's [weight] has one scale for the tensor (per_channel = false)",
        )
    _check_scheme(name, weight.scale, weight.zero_point, section.scheme, section.section)


def check_bias(name: str, codes: npt.NDArray[np.number], section: Bias) -> None:
    """Require the codes of a bias, integers or whole floats, to fit the register of the section."""
    low, high = int(codes.min(initial=0)), int(codes.max(initial=0))
    if low < section.format.min or high > section.format.max:
        raise SchemeError(
            f"{name} has codes {low}..{high}",
            f"the target's [bias] holds {section.format.min}..{section.format.max}",
        )


def _check_format(name: str, inner: FixedFormat, outer: FixedFormat, section: str) -> None:
    if inner.min < outer.min or inner.max > outer.max:
        raise SchemeError(
            f"{name} has codes {inner.min}..{inner.max}",
            f"the target's [{section}] holds {outer.min}..{outer.max}",
        )


def _check_scheme(
    name: str,
    scale: FloatLike,
    zero_point: int | npt.NDArray[np.int64],
    scheme: Scheme,
    section: str,
) -> None:
    points = np.asarray(zero_point)
    if not has_zero_point(scheme) and points.any():
        raise SchemeError(
            f"{name} has zero point {points[points != 0].flat[0]}",
            f"the target's [{section}] is {scheme}: zero point 0",
        )
    scales = np.atleast_1d(np.asarray(scale, np.float64))
    odd = scales[np.frexp(scales)[0] != 0.5]
    if scheme == "power_of_two" and odd.size:
        raise SchemeError(
            f"{name} has scale {float(odd[0]):.9g}",
            f"the target's [{section}] is {scheme}: scales 2**n",
        )
