"""Operators that hand their operand on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import nodes
from qsim.lowering import lower_rescale
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node


def _check(node: Node) -> bool:
    if "dropout" in str(node.target) and nodes.argument(node, 2, "train", False):
        return False
    return nodes.is_float(node)


def _why(node: Node) -> str:
    del node
    return "it is dropout in training mode, which is random: call .eval() on the model"


PATTERN: Final = Pattern(
    name="identity",
    overloads=(
        "contiguous.default",
        "clone.default",
        "detach.default",
        "detach_.default",
        "alias.default",
        "lift_fresh_copy.default",
        "dropout.default",
    ),
    primitives=needs(),
    lower=lower_rescale,
    check=_check,
    why=_why,
    sharing=True,
    moving=True,
)
