"""Writes into a cache at positions of run time: ``index_copy``, and ``index_put`` made one.

Cache, new rows and result have one set of parameters: codes are moved. Positions are integers,
without a scale. A cache whose positions are taken modulo its length is a ring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.registry import Pattern, Reason, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder

_aten = torch.ops.aten
RING: Final = "qsim_ring"


def _check(node: Node) -> bool:
    cache, _, at, rows = node.args[:4]
    sizes = (nodes.shape(cache), nodes.shape(rows), nodes.shape(at))
    return all(shape and all(isinstance(n, int) for n in shape[1:]) for shape in sizes)


def _why(node: Node) -> Reason | str:
    del node
    return "its sizes are not known beforehand"


def _operands(node: Node) -> tuple[Any, ...]:
    return (node.args[0], node.args[3])


def _is_ring(node: Node) -> bool:
    """Return whether a pass has found positions that are taken modulo the cache's length."""
    at: Any = node.args[2]
    return bool(node.meta.get(RING)) and at.target is _aten.remainder.Scalar


def _positions(node: Node) -> tuple[Any, ...]:
    at: Any = node.args[2]
    return (at.args[0] if _is_ring(node) else at,)


def _lower(builder: Builder) -> None:
    match = builder.match
    (cache, rows), (at,) = match.operands, match.integers
    attributes = {"axis": match.origin.args[1], "ring": _is_ring(match.origin)}
    names = (cache.name, rows.name, at.codes.name)
    builder.call("cache_write", names, builder.result(), attributes)


PATTERN: Final = Pattern(
    name="cache_write",
    overloads=("index_copy.default",),
    primitives=needs("cache_write"),
    lower=_lower,
    check=_check,
    why=_why,
    operands=_operands,
    constant_operands=True,
    sharing=True,
    moving=True,
    integers=_positions,
)
