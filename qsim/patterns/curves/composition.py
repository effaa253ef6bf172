"""Element-wise operators that make one function of one tensor: one table.

No operator alone is this pattern: ``qsim.lowering.composition`` says where several are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.lowering import lower_table, table_primitive
from qsim.registry import Pattern

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.target import Target


def _primitives(node: Node, target: Target) -> tuple[str, ...]:
    return (table_primitive((node,), target),)


PATTERN: Final = Pattern(
    name="composition", overloads=(), primitives=_primitives, lower=lower_table
)
