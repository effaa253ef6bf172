"""Why a result is not the expected one: its operands, what the definition does, what explains it.

``explain`` is the way in. ``definitions`` has the definition of each primitive on the fields of its
beats, ``operands`` what a result was made of, ``hints`` what explains all differences at once.
"""

from __future__ import annotations

from qsim.cosim.explaining.explain import explain
from qsim.cosim.explaining.explanation import Explanation, Operand

__all__ = ["Explanation", "Operand", "explain"]
