"""Why a result is not the expected one: its operands, what the definition does, what explains it.

``telling`` puts it together. ``definitions`` has the definition of each primitive on the fields of
its beats, ``operands`` what a result was made of; ``outputs`` and ``inputs`` have the hints, of the
results alone and of what the design may have read, on what ``observed`` knows of a run.
"""

from __future__ import annotations

from qsim.cosim.explaining.explanation import Explanation, Operand
from qsim.cosim.explaining.telling import explain

__all__ = ["Explanation", "Operand", "explain"]
