"""Algorithms that train scales and offsets, each in a module of its own."""

from __future__ import annotations

from typing import Final

from qsim.quantizer.learning.algorithms.base import Learned
from qsim.quantizer.learning.algorithms.fixed import Fixed
from qsim.quantizer.learning.algorithms.lsq import Lsq

ALGORITHMS: Final[dict[str, type[Learned]]] = {"lsq": Lsq}

__all__ = ["ALGORITHMS", "Fixed", "Learned", "Lsq"]
