"""Layer norm over the last dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.patterns.norms.common import emit, known, why
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _parameters(node: Node) -> tuple[Any, Any]:
    return nodes.argument(node, 2, "weight"), nodes.argument(node, 3, "bias")


def _check(node: Node) -> bool:
    shape, rows = nodes.shape(node.args[0]), nodes.argument(node, 1, "normalized_shape")
    inner = shape is not None and len(rows) < len(shape)
    return inner and nodes.is_float(node) and known(*_parameters(node))


def _lower(builder: Builder) -> None:
    node = builder.match.anchor
    rows: Any = nodes.argument(node, 1, "normalized_shape")
    eps = float(nodes.argument(node, 4, "eps", 1e-5))
    emit(builder, "layer_norm", math.prod(rows), eps, _parameters(node), {"dims": len(rows)})


PATTERN: Final = Pattern(
    name="layer_norm",
    overloads=("layer_norm.default",),
    primitives=needs("layer_norm"),
    lower=_lower,
    check=_check,
    why=why,
)
