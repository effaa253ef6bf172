"""Tables of a configuration beside its overrides: calibration, and what is learned."""

from __future__ import annotations

from qsim.quantizer.settings.calibration import Calibration
from qsim.quantizer.settings.fields import read
from qsim.quantizer.settings.reconstruction import ROUNDINGS, Reconstruction
from qsim.quantizer.settings.training import ALGORITHMS, Training

__all__ = [
    "ALGORITHMS",
    "ROUNDINGS",
    "Calibration",
    "Reconstruction",
    "Training",
    "read",
]
