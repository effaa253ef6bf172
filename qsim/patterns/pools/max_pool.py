"""Max pooling of windows: of a kernel, adaptive, or all of space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import nodes
from qsim.patterns.pools import common as pools
from qsim.registry import Pattern

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _adaptive(node: Node) -> bool:
    return "adaptive" in str(node.target)


def _check(node: Node) -> bool:
    if not pools.known(node) or (_adaptive(node) and not pools.has_windows(node)):
        return False
    return not isinstance(node.meta.get("val"), tuple) or nodes.only_value(node) is not None


def _why(node: Node) -> str:
    if not pools.known(node):
        return "its input has another number of dimensions"
    if _adaptive(node) and not pools.has_windows(node):
        return "its windows depend on a size that the export left open"
    return "the positions of its maxima are read; max_pool makes values alone"


def _lower(builder: Builder) -> None:
    """Emit a max pool."""
    node, source = builder.match.anchor, pools.spatial_input(builder)
    rank = len(source.shape) - 2
    if _adaptive(node):
        windows = pools.adaptive(node, source) | {"dilation": [1] * rank, "ceil_mode": False}
    else:
        windows = pools.window(node, rank) | {
            "dilation": nodes.per_dimension(nodes.argument(node, 4, "dilation", 1), rank),
            "ceil_mode": bool(nodes.argument(node, 5, "ceil_mode", False)),
        }
    pools.emit(builder, "max_pool", source, windows)


PATTERN: Final = Pattern(
    name="max_pool",
    overloads=(
        "max_pool1d.default",
        "max_pool2d.default",
        "max_pool3d.default",
        "max_pool1d_with_indices.default",
        "max_pool2d_with_indices.default",
        "max_pool3d_with_indices.default",
        "adaptive_max_pool1d.default",
        "adaptive_max_pool2d.default",
        "adaptive_max_pool3d.default",
    ),
    primitives=pools.needs("max_pool"),
    lower=_lower,
    check=_check,
    why=_why,
    sharing=True,
    takes_clamps=True,
)
