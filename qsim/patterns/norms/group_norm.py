"""Group norm, and instance norm of a module that keeps no statistics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.patterns.norms.common import emit, known, why
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _is_group(node: Node) -> bool:
    return nodes.operator_name(node) == "group_norm"


def _parameters(node: Node) -> tuple[Any, Any]:
    first = 2 if _is_group(node) else 1
    return nodes.argument(node, first, "weight"), nodes.argument(node, first + 1, "bias")


def _check(node: Node) -> bool:
    shape = nodes.shape(node.args[0])
    own = _is_group(node) or bool(nodes.argument(node, 5, "use_input_stats", True))
    sample = shape is not None and len(shape) >= (2 if _is_group(node) else 3)
    return own and sample and nodes.is_float(node) and known(*_parameters(node))


def _lower(builder: Builder) -> None:
    node, shape = builder.match.anchor, builder.match.operands[0].shape
    group = _is_group(node)
    groups: Any = nodes.argument(node, 1, "num_groups") if group else shape[1]
    eps = float(nodes.argument(node, 4 if group else 7, "eps", 1e-5))
    count = math.prod(shape[1:]) // groups
    emit(builder, "group_norm", count, eps, _parameters(node), {"groups": groups})


PATTERN: Final = Pattern(
    name="group_norm",
    overloads=("group_norm.default", "instance_norm.default"),
    primitives=needs("group_norm"),
    lower=_lower,
    check=_check,
    why=why,
)
