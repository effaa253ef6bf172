"""Parametric relus: one slope, or one for each channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import warn_of_factors
from qsim.program import encode_scheme, format_to_json
from qsim.registry import Pattern, needs
from qsim.target import derive

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _operands(node: Node) -> tuple[Any, ...]:
    return node.args[:2]


def _check(node: Node) -> bool:
    return nodes.is_float(node) and nodes.is_parameter(node.args[1])


def _why(node: Node) -> str:
    del node
    return "its slopes are computed at run time"


def _lower(builder: Builder) -> None:
    match, target = builder.match, builder.target
    x, slopes = match.operands
    y = match.result.params
    held = builder.constants.pop(slopes.name)
    # Along dimension 1, as torch has it; one slope is for all elements.
    shape = (-1,) + (1,) * max(len(x.shape) - 2, 0) if math.prod(held.shape) > 1 else (1,)
    name = builder.constant("slopes", held.reshape(shape))
    scales = (x.params.scale, slopes.params.scale, y.scale)
    reach = max(
        x.params.format.max - x.params.zero_point, x.params.zero_point - x.params.format.min
    )
    warn_of_factors(builder, scales[0] / scales[2], reach)
    prefix = f"{match.anchor.name}.prelu"
    schemes = {
        "positive": derive.requantizer(target, scales[0], 1.0, scales[2], "mul"),
        "negative": derive.requantizer(target, *scales, "mul"),
    }
    attributes: dict[str, Any] = {
        side: encode_scheme(scheme, f"{prefix}.{side}", builder.constants)
        for side, scheme in schemes.items()
    }
    attributes |= {
        "x_zero_point": x.params.zero_point,
        "slope_zero_point": slopes.params.zero_point,
        "zero_point": y.zero_point,
        "output": format_to_json(y.format),
    }
    builder.call("prelu", (x.name, name), builder.result(), attributes)


PATTERN: Final = Pattern(
    name="prelu",
    overloads=("prelu.default",),
    primitives=needs("prelu"),
    lower=_lower,
    check=_check,
    why=_why,
    operands=_operands,
    constant_operands=True,
)
