"""Means and sums over any dimensions but the batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, emit_rescale
from qsim.program import TensorSpec, encode_scheme, format_to_json
from qsim.registry import Pattern, needs
from qsim.target import derive

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder, QParams


def _axes(node: Node, rank: int) -> list[int]:
    """Return the dimensions that are reduced; without any, torch reduces all."""
    wanted = nodes.argument(node, 1, "dim") if str(node.target) != "aten.mean.default" else None
    return sorted({int(d) % rank for d in wanted}) if wanted else list(range(rank))


def _check(node: Node) -> bool:
    dimensions = nodes.shape(node.args[0])
    if not dimensions or not nodes.is_float(node) or node.kwargs.get("dtype") is not None:
        return False
    return all(isinstance(dimensions[axis], int) for axis in _axes(node, len(dimensions)))


def _why(node: Node) -> str:
    del node
    return "it reduces the batch, or converts to another type"


def _lower(builder: Builder) -> None:
    match, target = builder.match, builder.target
    source, result = match.operands[0], match.result
    axes = _axes(match.anchor, len(source.shape))
    if any(source.shape[axis] == -1 for axis in axes):
        raise NotLowerableError("it reduces the batch")
    count = math.prod(source.shape[axis] for axis in axes)
    summed = "sum" in str(match.anchor.target)
    scheme, made = _scheme(builder, 1 if summed else count)
    attributes: dict[str, Any] = {
        "scheme": encode_scheme(scheme, f"{match.anchor.name}.mean", builder.constants),
        "axes": axes,
        "keepdims": len(result.shape) == len(source.shape),
        "x_zero_point": source.params.zero_point,
        "zero_point": made.zero_point,
        "output": format_to_json(made.format),
        "clamp": None,
    }
    if made == result.params:
        builder.call("mean", (source.name,), builder.result(), attributes)
        return
    if not target.has("requantize"):
        raise NotLowerableError("its result has another scale, and the target has no requantize")
    name = f"{match.anchor.name}.mean"
    spec = TensorSpec(name, result.shape, made.format, made.scale, made.zero_point)
    emit_rescale(builder, builder.call("mean", (source.name,), spec, attributes), made)


def _scheme(builder: Builder, count: int) -> tuple[Any, QParams]:
    """Return what scales the sum of the codes, and the parameters of what it makes.

    TFLite's MEAN takes the count into its multiplier, others into the scale. A datapath that only
    shifts divides where the count is no power of two, and rescales where the scales differ.
    """
    from hw_models import ContractError
    from hw_models.mean import Division, over_count
    from hw_models.schemes import FixedPoint

    target, match = builder.target, builder.match
    x, y = match.operands[0].params, match.result.params
    if target.requantize.scheme == "power_of_two" and count & (count - 1):
        return Division(target.avg_pool.rounding), x
    rescale = derive.requantizer(target, x.scale, 1.0, y.scale)
    if not isinstance(rescale, FixedPoint) or target.requantize.rounding.startswith("tosa"):
        return derive.requantizer(target, x.scale, 1.0 / count, y.scale), y
    try:
        return over_count(rescale, count), y
    except ContractError as error:
        raise NotLowerableError(str(error)) from None


PATTERN: Final = Pattern(
    name="mean",
    overloads=("mean.dim", "mean.default", "sum.dim_IntList"),
    primitives=needs("mean"),
    lower=_lower,
    check=_check,
    why=_why,
)
