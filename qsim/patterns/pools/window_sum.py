"""Average pooling with a divisor of its own: the sum of a window, scaled.

Its result has another range than its input, hence parameters of its own: the pool keeps the exact
sum, and the divisor goes into the factor of the requantize behind it. Where input and result share
their parameters, or where the target only shifts, the pool divides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import (
    NotLowerableError,
    clamp_codes,
    emit_requantize,
    flat_shape,
    same_params,
    warn_of_factors,
)
from qsim.patterns.pools import common as pools
from qsim.registry import Pattern
from qsim.target import derive

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder

_MAX_DIVISOR: Final = 1 << 30  # of avg_pool
_REGISTER: Final = 32  # bits that a sum is kept in


def divisor(node: Node) -> Any:
    """Return torch's ``divisor_override``, or None."""
    return nodes.argument(node, 6, "divisor_override")


def _check(node: Node) -> bool:
    value = divisor(node)
    return pools.known(node) and isinstance(value, int) and 1 <= value <= _MAX_DIVISOR


def _why(node: Node) -> str:
    if not pools.known(node):
        return "its input has another number of dimensions"
    return f"its divisor is {divisor(node)}; avg_pool divides by 1 to 2**30"


def windows(node: Node, rank: int) -> dict[str, Any]:
    """Return where the windows of an average pool lie, and what they count."""
    return pools.window(node, rank) | {
        "ceil_mode": bool(nodes.argument(node, 4, "ceil_mode", False)),
        "count_include_pad": bool(nodes.argument(node, 5, "count_include_pad", True)),
    }


def _lower(builder: Builder) -> None:
    target, match = builder.target, builder.match
    number, source = int(divisor(match.anchor)), pools.spatial_input(builder)
    x = source.params
    attributes = windows(match.anchor, len(source.shape) - 2) | {
        "zero_point": x.zero_point,
        "rounding": target.avg_pool.rounding,
        "divisor": number,
    }
    if same_params(match.operands[0], match.result):
        centered = {"centered": True} if target.avg_pool.centered else {}
        pools.emit(builder, "avg_pool", source, attributes | centered)
        return
    # A datapath that only shifts cannot take the divisor into its factor.
    shifts = target.requantize.scheme == "power_of_two" and bool(number & (number - 1))
    factor = 1.0 if shifts else 1.0 / number
    attributes["divisor"] = number if shifts else 1
    _sum(builder, source, attributes, factor)


def _sum(builder: Builder, source: Any, attributes: dict[str, Any], factor: float) -> None:
    """Emit the pool into a register, and the requantize by ``s_x * factor / s_y``."""
    from hw_models import FixedFormat
    from qsim.program import TensorSpec, format_to_json

    target, match = builder.target, builder.match
    x, y = source.params, match.result.params
    widest = max(x.format.max - x.zero_point, x.zero_point - x.format.min)
    reach = math.prod(attributes["kernel"]) * widest + abs(x.zero_point)
    if reach >= 1 << (_REGISTER - 1):
        raise NotLowerableError(f"the sum of its window takes more than {_REGISTER} bits")
    register = FixedFormat(_REGISTER)
    attributes["output"] = format_to_json(register)
    made = match.result.shape
    batched = source is match.operands[0]
    shape = made if batched else (made[0], 1, *made[1:])
    spec = TensorSpec(f"{match.anchor.name}.avg_pool", shape, register, None, 0)
    held = builder.call("avg_pool", (source.name,), spec, attributes)
    if not batched:
        flat = builder.intermediate("reshape", made, register)
        held = builder.call("reshape", (held,), flat, {"shape": flat_shape(made)})
    warn_of_factors(builder, x.scale * factor / y.scale, reach)
    scheme = derive.requantizer(target, x.scale, factor, y.scale)
    clamp = clamp_codes(builder)
    emit_requantize(builder, held, scheme, clamp=clamp, axis=1, input_zero_point=x.zero_point)


PATTERN: Final = Pattern(
    name="window_sum",
    overloads=("avg_pool2d.default", "avg_pool3d.default"),
    primitives=pools.needs("avg_pool", "requantize"),
    lower=_lower,
    check=_check,
    why=_why,
    fuses_relu=True,
    takes_clamps=True,
)
