"""Learning what quantization needs: scales and weights by training, rounding by reconstruction."""

from __future__ import annotations

from qsim.quantizer.learning.stages import again, learn, require_one_length, samples_of
from qsim.quantizer.learning.training import Progress, Samples

__all__ = ["Progress", "Samples", "again", "learn", "require_one_length", "samples_of"]
