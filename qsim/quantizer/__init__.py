"""From a float module to a Q/DQ graph that fits a target; torch is loaded when it is used."""

from __future__ import annotations

from qsim.quantizer.config import Override, QuantizeConfig
from qsim.quantizer.pipeline import quantize
from qsim.quantizer.pt2 import load_pt2
from qsim.quantizer.quantized import Quantized, check_batch

__all__ = [
    "Override",
    "QuantizeConfig",
    "Quantized",
    "check_batch",
    "load_pt2",
    "quantize",
]
