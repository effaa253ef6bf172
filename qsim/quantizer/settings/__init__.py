"""Tables of a configuration beside its overrides: what trains, reconstructs, equalizes."""

from __future__ import annotations

from qsim.quantizer.settings.training import ALGORITHMS, Algorithm, Loss, Training

__all__ = ["ALGORITHMS", "Algorithm", "Loss", "Training"]
