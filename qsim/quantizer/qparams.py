"""Scale and zero point of a range of real values, for any format of 1 to 32 bits.

Real-number meaning: ``x ~ scale * (code - zero_point)`` with ``code`` in ``qmin..qmax``.

* ``asymmetric``: the range is widened to contain 0, ``scale = (high - low) / (qmax - qmin)``,
  ``zero_point = clip(qmin - round(low / scale))``, ties towards the larger zero point.
* ``symmetric``: zero point 0; the smallest scale at which neither end clips,
  ``scale = max(high / qmax, low / qmin)``. An unsigned format has no negative codes: negative
  values clip to 0 and do not count, as in a datapath whose activations follow a ReLU.
* ``power_of_two``: the symmetric scale rounded *up* to a power of two, so that nothing in the range
  clips (a range found by an observer that clips on purpose, such as ``mse``, is snapped the same
  way, after its clipping).

What float sums gave has noise in its last bits, which differ between processors. So that no scale
shows it:

* An activation's scale is rounded up to 12 significant bits: ``m * 2**e`` with m in 2048..4095. It
  is at most 0.05 % larger than needed.
* Ranges often end exactly where a decision would flip (6.0, 1.0, a power of two, two ends of one
  size). So the boundaries lie beside those points: a scale up to ``2**-26`` of itself above one
  of the grid, or of a power of two, still takes that one (what then clips is less than an eighth
  of a step, in any format), and a tie of the zero point is a tie up to ``2**-20`` of a step.
* A weight's scale is not on the grid: it comes from given numbers, by divisions that IEEE 754
  defines to the last bit, and weights that were quantized before keep their codes.

Corners:

* Scales are fp32 values, computed in float64 and rounded once.
* The zero point is that of the scale before it was rounded up: a range with two ends of one size
  has its zero in the middle.
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
EDGE: Final = 2.0**-20  # how far beside a tie its boundary lies, in steps
GRID_BITS: Final = 12
_BESIDE: Final = 1.0 - 2.0**-26  # likewise beside a scale
_HEADROOM: Final = 1.0 + 2.0**-20


@dataclass(frozen=True)
class Coding:
    """A range of codes and how real values are laid onto it.

    Attributes:
        quant_min: smallest code.
        quant_max: largest code.
        scheme: ``asymmetric``, ``symmetric`` or ``power_of_two``.
        exact: the range is known to the last bit (weights), so its scale needs no grid.
    """

    quant_min: int
    quant_max: int
    scheme: Scheme
    exact: bool = False

    @property
    def headroom(self) -> float:
        """The factor on scales that keeps codes of wide formats inside fp32's exact range."""
        return _HEADROOM if self.quant_max - self.quant_min >= 1 << 24 else 1.0


def power_of_two_above(scale: Floats) -> Floats:
    """Return the smallest power of two that is not below each (positive) scale, exactly."""
    mantissa, exponent = np.frexp(scale)
    return np.asarray(np.ldexp(1.0, np.where(mantissa == 0.5, exponent - 1, exponent)), np.float64)


def on_grid(scale: Floats) -> Floats:
    """Return the smallest number of 12 significant bits that is not below each scale.

    A scale that exceeds one by less than ``2**-26`` of itself counts as that one.
    """
    mantissa, exponent = np.frexp(scale * _BESIDE)
    steps = np.ceil(mantissa * 2.0**GRID_BITS)
    return np.asarray(np.ldexp(steps, exponent - GRID_BITS), np.float64)


def fixed_order_sum(x: Floats) -> Floats:
    """Return the sum over the last axis, in an order that no processor changes: by halves."""
    while x.shape[-1] > 1:
        if x.shape[-1] % 2:
            x = np.concatenate([x, np.zeros((*x.shape[:-1], 1))], axis=-1)
        half = x.shape[-1] // 2
        x = x[..., :half] + x[..., half:]
    return x[..., 0] if x.shape[-1] else np.zeros(x.shape[:-1])


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
        ideal = (high - low) / (qmax - qmin)
    else:
        ideal = symmetric_scale(low, high, qmin, qmax)
    scale = _fill_zeros(ideal * coding.headroom)
    if floor is not None:
        scale = np.maximum(scale, floor)
    scale = np.maximum(scale, EPS)
    if has_zero_point(coding.scheme):
        return held(scale, coding), _zero_point(low, ideal, coding)
    return held(scale, coding), np.zeros(scale.shape, np.int64)


def held(scale: Floats, coding: Coding) -> Floats:
    """Return positive scales as a target has them: never smaller, but of exact ranges in fp32."""
    match coding.scheme:
        case "power_of_two":
            return power_of_two_above(scale * _BESIDE)
        case "symmetric" | "asymmetric":
            return scale.astype(np.float32).astype(np.float64) if coding.exact else on_grid(scale)
        case _:
            assert_never(coding.scheme)


def _zero_point(low: Floats, ideal: Floats, coding: Coding) -> Codes:
    qmin, qmax = coding.quant_min, coding.quant_max
    steps = low / np.where(ideal > 0.0, ideal, 1.0)
    # In formats beyond 24 bits float64's own last bits are larger than EDGE.
    beside = max(EDGE, (qmax - qmin) * 2.0**-44)
    return np.asarray(np.clip(qmin - np.rint(steps - beside), qmin, qmax), np.int64)


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
    return fixed_order_sum(count * error * error)
