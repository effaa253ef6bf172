"""Operators whose result is made of input codes: activations, pooling, reshape and permute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsim.lowering.requantization import (
    clamp_codes,
    emit_rescale,
    move_or_rescale,
    same_params,
)
from qsim.lowering.view import NotLowerableError
from qsim.nodes import adaptive_window, argument, is_spatial_mean, per_dimension

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.lowering.builder import Builder


def lower_clamp(builder: Builder) -> None:
    """Emit an activation of the relu family that no other operator took in."""
    match = builder.match
    source = match.operands[0]
    nodes = (match.anchor, *match.clamps)
    clamp = clamp_codes(builder, nodes)
    if not same_params(source, match.result):
        emit_rescale(builder, source.name, source.params, clamp=clamp)
        return
    fmt = match.result.params.format
    low, high = clamp or (fmt.min, fmt.max)
    builder.call("clamp", (source.name,), builder.result(), {"lo": low, "hi": high})


def lower_rescale(builder: Builder) -> None:
    """Emit the requantize of a value that is dequantized only to be quantized otherwise."""
    emit_rescale(builder, builder.match.operands[0].name, builder.match.operands[0].params)


def lower_max_pool(builder: Builder) -> None:
    """Emit a max pool."""
    node, source = builder.match.anchor, builder.match.operands[0]
    rank = len(source.shape) - 2
    kernel = per_dimension(argument(node, 1, "kernel_size"), rank)
    stride = per_dimension(argument(node, 2, "stride", ()) or kernel, rank)
    padding = per_dimension(argument(node, 3, "padding", 0), rank)
    move_or_rescale(
        builder,
        "max_pool",
        source,
        {
            "kernel": kernel,
            "stride": stride,
            "padding": padding,
            "dilation": per_dimension(argument(node, 4, "dilation", 1), rank),
            "ceil_mode": bool(argument(node, 5, "ceil_mode", False)),
        },
    )


def lower_avg_pool(builder: Builder) -> None:
    """Emit an average pool: of windows, adaptive with equal windows, or a mean over space."""
    node, source = builder.match.anchor, builder.match.operands[0]
    rank = len(source.shape) - 2
    attributes: dict[str, Any] = {
        "kernel": None,
        "stride": [1] * rank,
        "padding": [0] * rank,
        "rounding": builder.target.avg_pool.rounding,
        "count_include_pad": False,
        "ceil_mode": False,
        "zero_point": source.params.zero_point,
    }
    name = str(node.target)
    if "adaptive" in name:
        window = adaptive_window(node, source.shape)
        if window is None:
            raise NotLowerableError("its windows differ in size")
        attributes["kernel"] = attributes["stride"] = window
    elif "mean" not in name:
        if argument(node, 6, "divisor_override") is not None:
            raise NotLowerableError("its divisor is overridden")
        attributes["kernel"] = per_dimension(argument(node, 1, "kernel_size"), rank)
        stride = argument(node, 2, "stride", ())
        attributes["stride"] = per_dimension(stride or attributes["kernel"], rank)
        attributes["padding"] = per_dimension(argument(node, 3, "padding", 0), rank)
        attributes["ceil_mode"] = bool(argument(node, 4, "ceil_mode", False))
        attributes["count_include_pad"] = bool(argument(node, 5, "count_include_pad", True))
    elif not is_spatial_mean(node, len(source.shape)):
        raise NotLowerableError("it is a mean over other than all spatial dimensions")
    if "mean" in name and not argument(node, 2, "keepdim", False):
        _mean_without_dimensions(builder, attributes)
        return
    move_or_rescale(builder, "avg_pool", source, attributes)


def _mean_without_dimensions(builder: Builder, attributes: dict[str, Any]) -> None:
    from qsim.program import TensorSpec

    source = builder.match.operands[0]
    params = source.params
    pooled = (*source.shape[:2], *[1] * (len(source.shape) - 2))
    spec = builder.intermediate("avg_pool", pooled, params.format)
    spec = TensorSpec(spec.name, pooled, params.format, params.scale, params.zero_point)
    name = builder.call("avg_pool", (source.name,), spec, attributes)
    kept = type(source)(name, params, pooled)
    move_or_rescale(builder, "reshape", kept, {"shape": flat_shape(builder.match.result.shape)})


def lower_reshape(builder: Builder) -> None:
    """Emit a reshape that keeps the batch in dimension 0."""
    source, result = builder.match.operands[0], builder.match.result
    if (source.shape[0] == -1) != (result.shape[0] == -1):
        raise NotLowerableError("it moves the batch out of dimension 0")
    move_or_rescale(builder, "reshape", source, {"shape": flat_shape(result.shape)})


def flat_shape(shape: Sequence[int]) -> list[int]:
    """Return a result's shape as the reshape attribute: 0 keeps a symbolic batch."""
    return [0 if d == -1 else d for d in shape]


def lower_permute(builder: Builder) -> None:
    """Emit a permutation of dimensions that keeps the batch in front."""
    node, source = builder.match.anchor, builder.match.operands[0]
    rank = len(source.shape)
    dims = list(range(rank))
    name = str(node.target)
    if name == "aten.permute.default":
        dims = [int(d) % rank for d in node.args[1]]  # type: ignore[union-attr,arg-type]
    else:
        first, second = (0, 1) if name == "aten.t.default" else node.args[1:3]
        if rank >= 2:
            i, j = int(first) % rank, int(second) % rank  # type: ignore[arg-type]
            dims[i], dims[j] = dims[j], dims[i]
    if source.shape[0] == -1 and dims[0] != 0:
        raise NotLowerableError("it moves the batch out of dimension 0")
    move_or_rescale(builder, "permute", source, {"dims": dims})
