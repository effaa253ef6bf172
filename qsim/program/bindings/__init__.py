"""What each primitive of a Program is, family by family."""

from __future__ import annotations

from qsim.program.bindings.binding import Binding, Kernel, Operand, dims, pairs
from qsim.program.bindings.caches import CACHES
from qsim.program.bindings.codes import CODE_MAKERS
from qsim.program.bindings.dense import DENSE
from qsim.program.bindings.dynamic import DYNAMIC
from qsim.program.bindings.elementwise import ELEMENTWISE
from qsim.program.bindings.floats import FLOATS
from qsim.program.bindings.moves import MOVES
from qsim.program.bindings.picks import PICKS
from qsim.program.bindings.sums import SUMS
from qsim.program.bindings.tables import TABLES
from qsim.program.bindings.transposed import TRANSPOSED
from qsim.program.bindings.units import UNITS

__all__ = [
    "CACHES",
    "CODE_MAKERS",
    "DENSE",
    "DYNAMIC",
    "ELEMENTWISE",
    "FLOATS",
    "MOVES",
    "PICKS",
    "SUMS",
    "TABLES",
    "TRANSPOSED",
    "UNITS",
    "Binding",
    "Kernel",
    "Operand",
    "dims",
    "pairs",
]
