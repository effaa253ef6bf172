"""Models that others have quantized: their codes, scales and zero points are taken as they are."""

from __future__ import annotations

from qsim.quantizer.prequantized.graphs import holds_codes, in_float, without_codes
from qsim.quantizer.prequantized.spelling import Spelled, spelled

__all__ = ["Spelled", "holds_codes", "in_float", "spelled", "without_codes"]
