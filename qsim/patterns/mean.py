"""Means and sums over any dimensions but the batch."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, emit_rescale
from qsim.program import TensorSpec, encode_scheme, format_to_json
from qsim.registry import Pattern, Reason, needs
from qsim.target import derive

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder, QParams
    from qsim.target import Target


def _axes(node: Node, rank: int) -> list[int]:
    """Return the dimensions that are reduced; without any, torch reduces all."""
    wanted = nodes.argument(node, 1, "dim") if str(node.target) != "aten.mean.default" else None
    return sorted({int(d) % rank for d in wanted}) if wanted else list(range(rank))


def _check(node: Node) -> bool:
    dimensions = nodes.shape(node.args[0])
    if not dimensions or not nodes.is_float(node) or node.kwargs.get("dtype") is not None:
        return False
    return all(isinstance(dimensions[axis], int) for axis in _axes(node, len(dimensions)))


def _why(node: Node) -> str | Reason:
    if node.kwargs.get("dtype") is not None:
        return "it also converts to another type (dtype=)"
    return Reason("batch", "it reduces the batch; samples are computed apart")


def _lower(builder: Builder) -> None:
    match, target = builder.match, builder.target
    source, result = match.operands[0], match.result
    axes = _axes(match.anchor, len(source.shape))
    if any(source.shape[axis] == -1 for axis in axes):
        raise NotLowerableError(Reason("batch", "it reduces the batch"))
    count = math.prod(source.shape[axis] for axis in axes)
    summed = "sum" in str(match.anchor.target)
    x = source.params if summed else _finer(builder, count)
    name = source.name if x == source.params else _shifted(builder, x)
    scheme, made = _scheme(builder, x, 1 if summed else count)
    attributes: dict[str, Any] = {
        "scheme": encode_scheme(scheme, f"{match.anchor.name}.mean", builder.constants),
        "axes": axes,
        "keepdims": len(result.shape) == len(source.shape),
        "x_zero_point": x.zero_point,
        "zero_point": made.zero_point,
        "output": format_to_json(made.format),
        "clamp": None,
    }
    if made == result.params:
        builder.call("mean", (name,), builder.result(), attributes)
        return
    if not target.has("requantize"):
        text = "its result has another scale, and the target has no requantize"
        raise NotLowerableError(Reason("target", text, ("requantize",)))
    mean = f"{match.anchor.name}.mean"
    spec = TensorSpec(mean, result.shape, made.format, made.scale, made.zero_point)
    emit_rescale(builder, builder.call("mean", (name,), spec, attributes), made)


def _divides(target: Target, count: int) -> bool:
    """Return whether the target divides: it only shifts, and the count is no power of two."""
    return target.requantize.scheme == "power_of_two" and bool(count & (count - 1))


def _finer(builder: Builder, count: int) -> QParams:
    """Return the parameters at which the operand is summed: a division keeps the scale of its sum.

    The mean of many values has a smaller range than they, so its scale is finer. The codes are
    shifted left to it before they are summed, as far as the register of ``[sum]`` holds the sum of
    all of them. What remains is lost, and said.
    """
    target, match = builder.target, builder.match
    x, y = match.operands[0].params, match.result.params
    wanted = max(0, math.frexp(x.scale)[1] - math.frexp(y.scale)[1])
    if not wanted or not _divides(target, count):
        return x
    largest = max(-x.format.min, x.format.max)
    room = min(target.sum.accumulator.max // (count * largest), (1 << 31) // largest - 1)
    shift = max(0, min(wanted, room.bit_length() - 1)) if target.has("requantize") else 0
    if shift < wanted:
        builder.warn(
            f"the mean of {count:,} values is divided at a scale {1 << (wanted - shift):,} times "
            f"that of its result: {wanted - shift} of its {y.format.bits} bits are lost"
        )
    if not shift:
        return x
    from hw_models import FixedFormat

    wide = FixedFormat(min(32, x.format.bits + shift), x.format.signed)
    return dataclasses.replace(x, scale=math.ldexp(x.scale, -shift), format=wide)


def _shifted(builder: Builder, finer: QParams) -> str:
    """Emit the shift of the operand to a finer scale; it is exact."""
    source, target = builder.match.operands[0], builder.target
    scheme = derive.requantizer(target, source.params.scale, 1.0, finer.scale)
    name = f"{builder.match.anchor.name}.shifted"
    spec = TensorSpec(name, source.shape, finer.format, finer.scale, finer.zero_point)
    attributes = {
        "scheme": encode_scheme(scheme, name, builder.constants),
        "zero_point": finer.zero_point,
        "input_zero_point": source.params.zero_point,
        "output": format_to_json(finer.format),
        "clamp": None,
        "axis": 1,
    }
    return builder.call("requantize", (source.name,), spec, attributes)


def _scheme(builder: Builder, x: QParams, count: int) -> tuple[Any, QParams]:
    """Return what scales the sum of the codes, and the parameters of what it makes.

    TFLite's MEAN takes the count into its multiplier, others into the scale. A datapath that only
    shifts divides where the count is no power of two, and rescales where the scales differ.
    """
    from hw_models import ContractError
    from hw_models.mean import Division, over_count
    from hw_models.schemes import FixedPoint

    target, y = builder.target, builder.match.result.params
    if _divides(target, count):
        made = y if (x.scale, x.zero_point) == (y.scale, y.zero_point) else x
        return Division(target.avg_pool.rounding), made
    rescale = derive.requantizer(target, x.scale, 1.0, y.scale)
    if not isinstance(rescale, FixedPoint) or target.requantize.rounding.startswith("tosa"):
        return derive.requantizer(target, x.scale, 1.0 / count, y.scale), y
    try:
        return over_count(rescale, count), y
    except ContractError as error:
        raise NotLowerableError(Reason("scheme", str(error))) from None


PATTERN: Final = Pattern(
    name="mean",
    overloads=("mean.dim", "mean.default", "sum.dim_IntList"),
    primitives=needs("mean"),
    lower=_lower,
    check=_check,
    why=_why,
)
