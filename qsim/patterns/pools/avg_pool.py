"""Average pooling: of windows, adaptive, or a mean over space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, flat_shape, move_or_rescale
from qsim.patterns.pools import common as pools
from qsim.patterns.pools.window_sum import divisor, windows
from qsim.registry import Pattern

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder, QParams
    from qsim.target import Target


def _check(node: Node) -> bool:
    name = str(node.target)
    if "mean" in name:
        return nodes.is_spatial_mean(node, len(nodes.shape(node.args[0]) or ()))
    if not pools.known(node):
        return False
    if "adaptive" in name:
        return pools.has_windows(node)
    return divisor(node) is None


def _why(node: Node) -> str:
    # Not asked about a mean or a divisor: the patterns after this one take those.
    if not pools.known(node):
        return "its input has another number of dimensions"
    return "its windows depend on a size that the export left open"


def _primitives(node: Node, target: Target) -> tuple[str, ...]:
    if "mean" in str(node.target):
        return ("avg_pool",)
    return pools.needs("avg_pool")(node, target)


def _lower(builder: Builder) -> None:
    """Emit an average pool: of windows, adaptive, or a mean over space."""
    node = builder.match.anchor
    name = str(node.target)
    source = builder.match.operands[0] if "mean" in name else pools.spatial_input(builder)
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
    if "adaptive" in name:
        attributes |= pools.adaptive(node, source)
    elif "mean" not in name:
        if divisor(node) is not None:
            raise NotLowerableError("its divisor is overridden")
        attributes |= windows(node, rank)
    elif not nodes.is_spatial_mean(node, len(source.shape)):
        raise NotLowerableError("it is a mean over other than all spatial dimensions")
    if "mean" in name and not nodes.argument(node, 2, "keepdim", False):
        _mean_without_dimensions(builder, attributes)
        return
    pools.emit(builder, "avg_pool", source, attributes)


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
        "avg_pool3d.default",
        "adaptive_avg_pool1d.default",
        "adaptive_avg_pool2d.default",
        "adaptive_avg_pool3d.default",
        "_adaptive_avg_pool2d.default",
        "_adaptive_avg_pool3d.default",
        "mean.dim",
    ),
    primitives=_primitives,
    lower=_lower,
    check=_check,
    why=_why,
    sharing=True,
    takes_clamps=True,
)
