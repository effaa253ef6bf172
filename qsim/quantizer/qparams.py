"""Scale and zero point of a range of real values, for any format of 1 to 32 bits.

Real-number meaning: ``x ~ scale * (code - zero_point)`` with ``code`` in ``qmin..qmax``.

* ``asymmetric``: the range is widened to contain 0, ``scale = (high - low) / (qmax - qmin)``,
  ``zero_point = clip(qmin - round_half_even(low / scale))``.
* ``symmetric``: zero point 0; the smallest scale at which neither end clips,
  ``scale = max(high / qmax, low / qmin)``. An unsigned format has no negative codes: negative
  values clip to 0 and do not count, as in a datapath whose activations follow a ReLU.
* ``power_of_two``: the symmetric scale rounded *up* to a power of two, so that nothing in the range
  clips (a range found by an observer that clips on purpose, such as ``mse``, is snapped the same
  way, after its clipping).

Corners:

* Scales are fp32 values, computed in float64 and rounded once.
* A range of zeros has no scale of its own. A tensor of zeros gets 1.0; a channel of zeros gets the
  smallest scale of the other channels, so that its bias is not coarser than theirs.
* No scale is below ``EPS = 2**-48``, a power of two: products of two scales and their reciprocals
  stay normal fp32 numbers.
* Beyond 24 bits the largest code is not an fp32 number: clamping to it in fp32, as PT2E does, gives
  the next power of two, outside the format (and at 32 bits outside int32). Scales of such formats
  are widened by ``2**-20``, so that no value inside the range comes near the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from qsim.target import has_zero_point

if TYPE_CHECKING:
    from qsim.target import Scheme

Floats: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.int64]

EPS: Final = 2.0**-48
_HEADROOM: Final = 1.0 + 2.0**-20


@dataclass(frozen=True)
class Coding:
    """A range of codes and how real values are laid onto it.

    Attributes:
        quant_min: smallest code.
        quant_max: largest code.
        scheme: ``asymmetric``, ``symmetric`` or ``power_of_two``.
    """

    quant_min: int
    quant_max: int
    scheme: Scheme

    @property
    def headroom(self) -> float:
        """The factor on scales that keeps codes of wide formats inside fp32's exact range."""
        return _HEADROOM if self.quant_max - self.quant_min >= 1 << 24 else 1.0


def power_of_two_above(scale: Floats) -> Floats:
    """Return the smallest power of two that is not below each (positive) scale, exactly."""
    mantissa, exponent = np.frexp(scale)
    return np.asarray(np.ldexp(1.0, np.where(mantissa == 0.5, exponent - 1, exponent)), np.float64)


def symmetric_scale(low: Floats, high: Floats, quant_min: int, quant_max: int) -> Floats:
    """Return the smallest scale, zero point 0, at which low..high fits; 0 where nothing needs one.

    A side without codes (negative values in an unsigned format) is left out.
    """
    scale = np.zeros_like(high)
    if quant_max > 0:
        scale = np.maximum(scale, high / quant_max)
    if quant_min < 0:
        scale = np.maximum(scale, low / quant_min)
    return scale


def choose(
    low: Floats, high: Floats, coding: Coding, floor: Floats | None = None
) -> tuple[Floats, Codes]:
    """Return scales (fp32 values) and zero points of the ranges low..high, one per element.

    Args:
        low: smallest real value of each range.
        high: largest real value of each range.
        coding: the codes.
        floor: scales below which these may not go, if any.
    """
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    qmin, qmax = coding.quant_min, coding.quant_max
    if has_zero_point(coding.scheme):
        scale = (high - low) / (qmax - qmin)
    else:
        scale = symmetric_scale(low, high, qmin, qmax)
    scale = _fill_zeros(scale * coding.headroom)
    if floor is not None:
        scale = np.maximum(scale, floor)
    scale = np.maximum(scale, EPS)
    zero = np.zeros(scale.shape, np.int64)
    narrow = scale.astype(np.float32).astype(np.float64)
    match coding.scheme:
        case "power_of_two":
            return power_of_two_above(scale), zero
        case "symmetric":
            return narrow, zero
        case "asymmetric":
            return narrow, np.clip(qmin - np.rint(low / narrow), qmin, qmax).astype(np.int64)
        case _:
            assert_never(coding.scheme)


def _fill_zeros(scale: Floats) -> Floats:
    used = scale > 0.0
    fallback = float(scale[used].min()) if used.any() else 1.0
    return np.where(used, scale, fallback)


def quantize_error(x: Floats, count: Floats, scale: Floats, zero: Codes, coding: Coding) -> Floats:
    """Return the weighted squared error of coding x, summed over the last axis.

    Args:
        x: real values, shape (rows, values).
        count: how often each occurs, broadcast against x.
        scale: one scale per row.
        zero: one zero point per row.
        coding: the codes.
    """
    codes = np.rint(x / scale[:, None]) + zero[:, None]
    np.clip(codes, coding.quant_min, coding.quant_max, out=codes)
    error = (codes - zero[:, None]) * scale[:, None] - x
    return np.asarray((count * error * error).sum(axis=-1))
