"""Models that others have quantized: their codes, scales and zero points are taken as they are."""

from __future__ import annotations

from qsim.quantizer.prequantized.graphs import holds_codes, in_float, without_codes
from qsim.quantizer.prequantized.spelling import Spelled, require_floats, spelled

__all__ = ["Spelled", "holds_codes", "in_float", "require_floats", "spelled", "without_codes"]
