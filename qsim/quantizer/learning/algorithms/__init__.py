"""Algorithms that train scales and offsets, each in a module of its own."""

from __future__ import annotations

from typing import Final

from qsim.quantizer.learning.algorithms.base import Learned
from qsim.quantizer.learning.algorithms.fixed import Fixed
from qsim.quantizer.learning.algorithms.iao import Iao
from qsim.quantizer.learning.algorithms.lsq import Lsq
from qsim.quantizer.learning.algorithms.lsq_plus import LsqPlus
from qsim.quantizer.learning.algorithms.pact import Pact
from qsim.quantizer.learning.algorithms.rounded import Rounded
from qsim.quantizer.learning.algorithms.tqt import Tqt

ACTIVATIONS: Final[dict[str, type[Learned]]] = {
    "iao": Iao,
    "lsq": Lsq,
    "lsq+": LsqPlus,
    "tqt": Tqt,
    "pact": Pact,
    "fixed": Fixed,
}
# Those without a name in a configuration are of reconstruction.
WEIGHTS: Final[dict[str, type[Learned]]] = {**ACTIVATIONS, "pact": Iao, "rounded": Rounded}

__all__ = [
    "ACTIVATIONS",
    "WEIGHTS",
    "Fixed",
    "Iao",
    "Learned",
    "Lsq",
    "LsqPlus",
    "Pact",
    "Rounded",
    "Tqt",
]
