"""Learning the rounding of weights part by part of a network: AdaRound, BRECQ, QDrop."""

from __future__ import annotations

from qsim.quantizer.learning.reconstruction.part_by_part import reconstruct

__all__ = ["reconstruct"]
