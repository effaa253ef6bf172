"""Resizing of planes: nearest and bilinear, to a size or by a whole factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import move_or_rescale
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _linear(node: Node) -> bool:
    return "linear" in str(node.target)


def _factors(node: Node) -> list[Any]:
    """Return the factors that the model states: torch then takes positions from them."""
    name = str(node.target)
    at = 3 if _linear(node) else 2
    found = nodes.argument(node, at, "scale_factors") if name.endswith(".vec") else None
    return list(found or ())


def _check(node: Node) -> bool:
    before, after = nodes.shape(node.args[0]), nodes.shape(node)
    if before is None or after is None or not nodes.is_float(node):
        return False
    factors = _factors(node) or [None] * len(before[2:])
    return all(
        isinstance(old, int) and isinstance(new, int) and (factor is None or old * factor == new)
        for old, new, factor in zip(before[2:], after[2:], factors, strict=True)
    )


def _why(node: Node) -> str:
    del node
    return "its scale factor does not give a whole size: give a size, or a whole factor"


def _lower(builder: Builder) -> None:
    match = builder.match
    linear = _linear(match.anchor)
    corners = linear and bool(nodes.argument(match.anchor, 2, "align_corners", False))
    attributes: dict[str, object] = {
        "size": list(match.result.shape[2:]),
        "mode": "bilinear" if linear else "nearest",
        "align_corners": corners,
        "half_pixel_centers": (linear and not corners) or "exact" in str(match.anchor.target),
    }
    move_or_rescale(builder, "resize", match.operands[0], attributes)


PATTERN: Final = Pattern(
    name="resize",
    overloads=tuple(
        f"{name}.{overload}"
        for name in (
            "upsample_nearest1d",
            "upsample_nearest2d",
            "_upsample_nearest_exact1d",
            "_upsample_nearest_exact2d",
            "upsample_linear1d",
            "upsample_bilinear2d",
        )
        for overload in ("vec", "default")
    ),
    primitives=needs("resize"),
    lower=_lower,
    check=_check,
    why=_why,
    sharing=True,
    takes_clamps=True,
)
