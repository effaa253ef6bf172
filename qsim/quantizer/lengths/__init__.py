"""Models whose sequences may have any length within bounds."""

from __future__ import annotations

from qsim.quantizer.lengths.bounds import Bounds, Lengths, bounds_of
from qsim.quantizer.lengths.family import Family
from qsim.quantizer.lengths.pipeline import quantized_family

__all__ = ["Bounds", "Family", "Lengths", "bounds_of", "quantized_family"]
