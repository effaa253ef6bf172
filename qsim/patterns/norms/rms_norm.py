"""RMS norm over the last dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.patterns.norms.common import emit, known, why
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder

_EPS: Final = 2.0**-23  # what torch takes for None: that of float32


def _check(node: Node) -> bool:
    shape, rows = nodes.shape(node.args[0]), nodes.argument(node, 1, "normalized_shape")
    inner = shape is not None and len(rows) < len(shape)
    return inner and nodes.is_float(node) and known(nodes.argument(node, 2, "weight"))


def _lower(builder: Builder) -> None:
    node, x = builder.match.anchor, builder.match.operands[0].params
    rows: Any = nodes.argument(node, 1, "normalized_shape")
    eps = nodes.argument(node, 3, "eps")
    attributes = {"dims": len(rows), "x_zero_point": x.zero_point}
    weight = nodes.argument(node, 2, "weight")
    real = _EPS if eps is None else float(eps)
    emit(builder, "rms_norm", math.prod(rows), real, (weight, None), attributes)


PATTERN: Final = Pattern(
    name="rms_norm",
    overloads=("rms_norm.default",),
    primitives=needs("rms_norm"),
    lower=_lower,
    check=_check,
    why=why,
)
