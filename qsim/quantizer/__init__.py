"""From a float module to a Q/DQ graph that fits a target; torch is loaded when it is used."""

from __future__ import annotations

from qsim.quantizer.config import Override, QuantizeConfig
from qsim.quantizer.pipeline import quantize
from qsim.quantizer.quantized import Quantized

__all__ = ["Override", "QuantizeConfig", "Quantized", "quantize"]
