"""Padding with a constant, or with the codes at the border.

What else pads, by wrapping around, and what crops, moves codes alone: ``qsim.patterns.moves.move``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, move_or_rescale
from qsim.registry import Pattern, Reason, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder

# torch's names of the modes, and the primitive's.
_MODES: Final = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


def _amounts(node: Node) -> list[Any]:
    """Return (before, after) of the last dimension, of the one before it, and so on, flat."""
    return list(node.args[1])  # type: ignore[arg-type]  # a list of sizes, as the schema says


def _mode(node: Node) -> str | None:
    if "constant_pad_nd" in str(node.target):
        return "constant"
    return _MODES.get(nodes.argument(node, 2, "mode", "constant"))


def _value(node: Node) -> float:
    at = 2 if "constant_pad_nd" in str(node.target) else 3
    return float(nodes.argument(node, at, "value", None) or 0.0)


def _check(node: Node) -> bool:
    amounts = _amounts(node)
    known = all(isinstance(amount, int) and amount >= 0 for amount in amounts)
    return known and _mode(node) is not None and nodes.is_float(node)


def _lower(builder: Builder) -> None:
    import hw_models as hw

    node, source = builder.match.anchor, builder.match.operands[0]
    amounts, rank = _amounts(node), len(source.shape)
    pairs = [[0, 0] for _ in range(rank)]
    for back, at in enumerate(range(0, len(amounts), 2), 1):
        pairs[rank - back] = [int(amounts[at]), int(amounts[at + 1])]
    if source.shape[0] == -1 and pairs[0] != [0, 0]:
        raise NotLowerableError(Reason("batch", "it pads the batch"))
    params = source.params
    code = hw.quantize(
        np.array([_value(node)], np.float32),
        params.scale,
        zero_point=params.zero_point,
        output=params.format,
        formula=builder.target.quantize.formula,
    )
    attributes = {"pads": pairs, "value": int(code[0]), "mode": _mode(node)}
    move_or_rescale(builder, "pad", source, attributes)


PATTERN: Final = Pattern(
    name="pad",
    overloads=("pad.default", "constant_pad_nd.default"),
    primitives=needs("pad"),
    lower=_lower,
    check=_check,
    sharing=True,
    moving=True,
    takes_clamps=True,
)
