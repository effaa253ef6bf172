"""Average pooling: of windows, adaptive with equal windows, or a mean over space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, flat_shape, move_or_rescale
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder, QParams
    from qsim.target import Target


def _check(node: Node) -> bool:
    name = str(node.target)
    if "mean" in name:
        return nodes.is_spatial_mean(node, len(nodes.shape(node.args[0]) or ()))
    if not nodes.has_rank(node.args[0], 3 if "pool1d" in name else 4):
        return False
    if "adaptive" not in name:
        return nodes.argument(node, 6, "divisor_override") is None
    return nodes.adaptive_window(node, nodes.shape(node.args[0]) or ()) is not None


def _why(node: Node) -> str:
    # Not asked about a mean: the pattern after this one takes those over other dimensions.
    name = str(node.target)
    if not nodes.has_rank(node.args[0], 3 if "pool1d" in name else 4):
        return "its input has no batch dimension"
    return "its windows differ in size" if "adaptive" in name else "its divisor is overridden"


def _lower(builder: Builder) -> None:
    """Emit an average pool: of windows, adaptive with equal windows, or a mean over space."""
    node, source = builder.match.anchor, builder.match.operands[0]
    rank = len(source.shape) - 2
    attributes: dict[str, Any] = {
        "kernel": None,
        "stride": [1] * rank,
        "padding": [0] * rank,
        "count_include_pad": False,
        "ceil_mode": False,
        "zero_point": source.params.zero_point,
        **_rounding(builder.target, source.params),
    }
    name = str(node.target)
    if "adaptive" in name:
        window = nodes.adaptive_window(node, source.shape)
        if window is None:
            raise NotLowerableError("its windows differ in size")
        attributes["kernel"] = attributes["stride"] = window
    elif "mean" not in name:
        if nodes.argument(node, 6, "divisor_override") is not None:
            raise NotLowerableError("its divisor is overridden")
        attributes["kernel"] = nodes.per_dimension(nodes.argument(node, 1, "kernel_size"), rank)
        stride = nodes.argument(node, 2, "stride", ())
        attributes["stride"] = nodes.per_dimension(stride or attributes["kernel"], rank)
        attributes["padding"] = nodes.per_dimension(nodes.argument(node, 3, "padding", 0), rank)
        attributes["ceil_mode"] = bool(nodes.argument(node, 4, "ceil_mode", False))
        attributes["count_include_pad"] = bool(nodes.argument(node, 5, "count_include_pad", True))
    elif not nodes.is_spatial_mean(node, len(source.shape)):
        raise NotLowerableError("it is a mean over other than all spatial dimensions")
    if "mean" in name and not nodes.argument(node, 2, "keepdim", False):
        _mean_without_dimensions(builder, attributes)
        return
    move_or_rescale(builder, "avg_pool", source, attributes)


def _rounding(target: Target, params: QParams) -> dict[str, Any]:
    """Return how the mean is rounded: of codes, wherever that is the same as of centered codes."""
    rounding = target.avg_pool.rounding
    if not target.avg_pool.centered or params.zero_point == 0:
        return {"rounding": rounding}
    if rounding == "half_away" and params.zero_point <= params.format.min:
        return {"rounding": "half_up"}  # nothing is below the zero point, as behind a relu
    return {"rounding": rounding, "centered": True}


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


PATTERN: Final = Pattern(
    name="avg_pool",
    overloads=(
        "avg_pool1d.default",
        "avg_pool2d.default",
        "adaptive_avg_pool1d.default",
        "adaptive_avg_pool2d.default",
        "_adaptive_avg_pool2d.default",
        "mean.dim",
    ),
    primitives=needs("avg_pool"),
    lower=_lower,
    check=_check,
    why=_why,
    sharing=True,
    takes_clamps=True,
)
