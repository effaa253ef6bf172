"""An embedding: rows of a constant table, at indices that come at run time.

The codes of the result are those of the table: both have one set of parameters, which covers every
row, read or not. Indices are integers, without a scale: nothing quantizes them. What only training
reads (``padding_idx``, ``scale_grad_by_freq``, ``sparse``) changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.registry import Pattern, Reason, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _check(node: Node) -> bool:
    table, indices = node.args[:2]
    constant = nodes.is_parameter(table) and len(nodes.shape(table) or ()) == 2
    return constant and nodes.is_float(table) and not nodes.is_parameter(indices)


def _why(node: Node) -> Reason | str:
    if not nodes.is_float(node.args[0]):
        return Reason.of_type(nodes.kind(node.args[0]))
    return "its table is computed at run time"


def _lower(builder: Builder) -> None:
    match = builder.match
    table, (indices,) = match.operands[0], match.integers
    builder.call("embedding", (table.name, indices.codes.name), builder.result(), {})


def _indices(node: Node) -> tuple[Any, ...]:
    return (node.args[1],)


PATTERN: Final = Pattern(
    name="embedding",
    overloads=("embedding.default",),
    primitives=needs("embedding"),
    lower=_lower,
    check=_check,
    why=_why,
    constant_operands=True,
    sharing=True,
    moving=True,
    integers=_indices,
)
