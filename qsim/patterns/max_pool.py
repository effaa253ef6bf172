"""Max pooling of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import nodes
from qsim.lowering import move_or_rescale
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _check(node: Node) -> bool:
    return nodes.has_rank(node.args[0], 3 if "max_pool1d" in str(node.target) else 4)


def _why(node: Node) -> str:
    del node
    return "its input has no batch dimension"


def _lower(builder: Builder) -> None:
    """Emit a max pool."""
    node, source = builder.match.anchor, builder.match.operands[0]
    rank = len(source.shape) - 2
    kernel = nodes.per_dimension(nodes.argument(node, 1, "kernel_size"), rank)
    stride = nodes.per_dimension(nodes.argument(node, 2, "stride", ()) or kernel, rank)
    padding = nodes.per_dimension(nodes.argument(node, 3, "padding", 0), rank)
    move_or_rescale(
        builder,
        "max_pool",
        source,
        {
            "kernel": kernel,
            "stride": stride,
            "padding": padding,
            "dilation": nodes.per_dimension(nodes.argument(node, 4, "dilation", 1), rank),
            "ceil_mode": bool(nodes.argument(node, 5, "ceil_mode", False)),
        },
    )


PATTERN: Final = Pattern(
    name="max_pool",
    overloads=(
        "max_pool1d.default",
        "max_pool2d.default",
    ),
    primitives=needs("max_pool"),
    lower=_lower,
    check=_check,
    why=_why,
    sharing=True,
    takes_clamps=True,
)
