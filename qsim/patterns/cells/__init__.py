"""What the cells of recurrent networks share: operands, gates, calls.

One step of a cell is many calls: each gate is two linear layers of its own, requantized to 16 bits
of scale 2**-12, a saturating sum, and a table; ``hw_models.recurrent`` is the definition. Whatever
the target's ``[add]`` says, these sums are plain: both operands and the result have one scale.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from qsim.patterns.cells.gates import Cell
from qsim.patterns.cells.reading import check, operands, primitives, why
from qsim.patterns.cells.units import CURVE, GATE
from qsim.registry import Pattern

__all__ = ["CURVE", "GATE", "PATTERN", "Cell", "primitives"]

# What the patterns of all cells have in common.
PATTERN: Final = partial(
    Pattern,
    primitives=primitives,
    check=check,
    why=why,
    operands=operands,
    constant_operands=True,
)
