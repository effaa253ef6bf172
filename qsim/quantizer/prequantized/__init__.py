"""Models that others have quantized: their codes, scales and zero points are taken as they are."""

from __future__ import annotations

from qsim.quantizer.prequantized.graphs import holds_codes
from qsim.quantizer.prequantized.spelling import Spelled, spelled
from qsim.quantizer.prequantized.taking import require_no_config, take

__all__ = ["Spelled", "holds_codes", "require_no_config", "spelled", "take"]
