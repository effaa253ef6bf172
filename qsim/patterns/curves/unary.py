"""Functions of one value: a table, whatever the function.

Codes of more than 8 bits take an interpolated table where the target has one. ``sigmoid`` and
``tanh`` are patterns of their own, because their results have scales that no data changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import FUNCTIONS, nodes
from qsim.lowering import lower_table, table_primitive
from qsim.registry import Pattern

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.target import Target


def primitives(node: Node, target: Target) -> tuple[str, ...]:
    """Return which table the target has for codes of its width."""
    return (table_primitive((node,), target),)


def check(node: Node) -> bool:
    """Return whether an operator of fp32 has literal parameters only."""
    literal = not any(nodes.shape(item) is not None for item in node.args[1:])
    return literal and nodes.is_float(node)


def why(node: Node) -> str:
    """Return why ``check`` refuses."""
    del node
    return "its parameters are computed at run time"


PATTERN: Final = Pattern(
    name="unary",
    overloads=FUNCTIONS,
    primitives=primitives,
    lower=lower_table,
    check=check,
    why=why,
)
