"""Softmax and layer norm of float32 rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError
from qsim.patterns.floats.operands import operand, require_floats, table, tensors
from qsim.registry import Form, Reason

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.target import Floats


def _section(builder: Builder) -> Floats:
    section = builder.target.floats
    if section is None:
        raise NotLowerableError(Reason("target", f"target {builder.target.name} has no [floats]"))
    return section


def _first(node: Node) -> tuple[Node, ...]:
    return tensors(node)[:1]


def _softmax(builder: Builder) -> None:
    require_floats(builder)
    node, rank = builder.match.anchor, len(builder.match.made.shape)
    dim: Any = nodes.argument(node, 1, "dim")
    if rank == 0 or int(dim) % rank != rank - 1 or rank == 1:
        raise NotLowerableError("it does not run along the last dimension of several")
    if str(node.target) == "aten.softmax.int" and nodes.argument(node, 2, "dtype") is not None:
        raise NotLowerableError("it also converts to another type (dtype=)")
    lanes = _section(builder).softmax_lanes
    x = operand(builder, node.args[0], "operand0")
    builder.call("float_softmax", (x,), builder.match.spec, {"lanes": lanes})


def _layer_norm(builder: Builder) -> None:
    node = builder.match.anchor
    if not nodes.is_float(builder.match.origin):
        raise NotLowerableError(Reason.of_type(nodes.kind(builder.match.origin)))
    dims, weight, bias = (nodes.argument(node, i, n) for i, n in enumerate(_ARGUMENTS, 1))
    if weight is None and bias is not None:
        raise NotLowerableError("it has a bias without a weight")
    for parameter in (weight, bias):
        if parameter is not None and not nodes.is_parameter(parameter):
            raise NotLowerableError("its weight or bias is computed at run time")
    attributes = {
        "dims": len(dims),
        "eps": float(nodes.argument(node, 4, "eps", 1e-5)),
        "lanes": _section(builder).norm_lanes,
        "weight": _stored(builder, "weight", weight),
        "bias": _stored(builder, "bias", bias),
    }
    x = operand(builder, node.args[0], "operand0")
    builder.call("float_layer_norm", (x,), builder.match.spec, attributes)


def _stored(builder: Builder, role: str, node: Any) -> Any:
    return None if node is None else {"constant": builder.constant(role, table(builder, node))}


_ARGUMENTS: Final = ("normalized_shape", "weight", "bias")

FORMS: Final = (
    Form("softmax", ("softmax.int", "_softmax.default"), _first, _softmax),
    Form("layer_norm", ("layer_norm.default",), _first, _layer_norm),
)
