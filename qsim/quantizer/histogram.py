"""A histogram of calibration data whose counts do not depend on last bits.

Bins are as wide as a power of two and begin at multiples of it, so that

* an edge is a number that float64 holds exactly, and a division by the width is exact;
* a wider range needs no guess: bins are added, or two neighbours become one, by adding integers.

The width is the smallest at which the whole range has at most ``BINS`` bins, so a matter of the
range alone, not of the order of batches. Edges lie ``2**-20`` of a width below their multiple: data
are often exactly on one (0, the 6 of a relu6, pixels), where the last bit of a sum would decide.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.quantizer.qparams import EDGE, fixed_order_sum

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from qsim.quantizer.qparams import Floats

BINS: Final = 4096
_STEP: Final = 1e-5
_ULP: Final = 2.0**-32  # the narrowest bin, as a share of the largest value


class Histogram:
    """Counts of values in bins of one width, from bin number ``first``.

    Attributes:
        width: of a bin, a power of two.
        first: number of the first bin; it begins at ``first * width``.
        counts: int64, one per bin.
    """

    def __init__(self) -> None:
        self.width = 0.0
        self.first = 0
        self.counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def add(self, x: torch.Tensor, low: float, high: float) -> None:
        """Count the values of a tensor of float64.

        Args:
            x: the values, at least one, finite.
            low: the smallest value seen so far, those of x among them.
            high: likewise the largest.
        """
        import torch

        width = _width(low, high)
        if width <= 0.0:
            return
        first, last = _bin(low, width), _bin(high, width)
        counts = np.zeros(last - first + 1, np.int64)
        numbers = torch.floor(x.detach().to(torch.float64).reshape(-1) / width + EDGE)
        found = torch.bincount((numbers - first).to(torch.int64), minlength=counts.size)
        counts += found.numpy()
        if self.counts.size:
            merge = math.frexp(width)[1] - math.frexp(self.width)[1]
            places = (self.first + np.arange(self.counts.size) >> merge) - first
            np.add.at(counts, places, self.counts)
        self.width, self.first, self.counts = width, first, counts

    def centres(self) -> Floats:
        """Return the middle of every bin."""
        numbers = self.first + np.arange(self.counts.size, dtype=np.float64)
        return np.asarray((numbers + 0.5) * self.width)

    def least_error(self, codes: int) -> tuple[float, float]:
        """Return the range with the least expected squared error of so many equal steps.

        torchao's ``HistogramObserver`` (caffe2's NormMinimization): quantiles are given up in steps
        of 1e-5, at the end where more bins are empty, until the error grows. A step that is not
        better than the whole range is not taken either.
        """
        total, below = int(self.counts.sum()), np.cumsum(self.counts)
        alpha, beta = 0.0, 1.0
        start, end = 0, self.counts.size - 1
        least = self._error(start, end, codes)
        while alpha < beta:
            left = min(max(int(np.searchsorted(below, (alpha + _STEP) * total)), start), end)
            right = int(np.searchsorted(below, (beta - _STEP) * total, "right")) - 1
            right = max(min(right, end), start)
            if left - start > end - right:
                alpha += _STEP
                next_start, next_end = left, end
            else:
                beta -= _STEP
                next_start, next_end = start, right
            if (next_start, next_end) == (start, end):
                continue
            error = self._error(next_start, next_end, codes)
            if error > least:
                break
            least, start, end = error, next_start, next_end
        return (self.first + start) * self.width, (self.first + end + 1) * self.width

    def _error(self, start: int, end: int, codes: int) -> float:
        """Return the squared error of steps over the bins start..end, values spread evenly."""
        step = self.width * (end - start + 1) / codes
        begin = (np.arange(self.counts.size) - start) * self.width
        stop = begin + self.width
        first = np.clip(np.floor(begin / step), 0, codes - 1)
        last = np.clip(np.floor(stop / step), 0, codes - 1)
        half = step / 2
        cubes = _cubes(begin - (first + 0.5) * step, half)
        cubes = cubes + (last - first - 1) * _cubes(-half, half)
        cubes = cubes + _cubes(-half, stop - (last + 0.5) * step)
        return float(fixed_order_sum(self.counts / self.width * cubes))


def _cubes(low: Any, high: Any) -> Any:
    """Return the integral of ``x**2`` between two ends."""
    return (high * high * high - low * low * low) / 3


def _width(low: float, high: float) -> float:
    """Return the smallest power of two in which low..high has at most ``BINS`` bins and a few."""
    least = max((high - low) * (1 - EDGE) / BINS, max(abs(low), abs(high)) * _ULP)
    if least == 0.0:
        return 0.0
    mantissa, exponent = math.frexp(least)
    return math.ldexp(1.0, exponent - (mantissa == 0.5))


def _bin(value: float, width: float) -> int:
    return math.floor(value / width + EDGE)
