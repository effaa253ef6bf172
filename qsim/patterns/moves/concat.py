"""Joins along a dimension; every operand is rescaled to the result where its scale differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, same_params
from qsim.program import encode_scheme, format_to_json
from qsim.registry import Pattern, Reason, needs
from qsim.target import derive

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _operands(node: Node) -> tuple[Any, ...]:
    return tuple(node.args[0])  # type: ignore[arg-type]  # a list of tensors, as the schema says


def _check(node: Node) -> bool:
    return nodes.is_float(node) and not all(map(nodes.is_parameter, _operands(node)))


def _why(node: Node) -> str:
    del node
    return "it joins constants alone"


def _lower(builder: Builder) -> None:
    match, target = builder.match, builder.target
    rank = len(match.result.shape)
    axis = int(nodes.argument(match.anchor, 1, "dim", 0)) % rank
    if match.result.shape[axis] == -1 or any(len(x.shape) != rank for x in match.operands):
        raise NotLowerableError(Reason("batch", "it joins along the batch"))
    result = match.result.params
    schemes: list[Any] = []
    for index, operand in enumerate(match.operands):
        if same_params(operand, match.result):
            schemes.append(None)
            continue
        if not target.has("requantize"):
            text = "its operands have different scales, and the target has no requantize"
            raise NotLowerableError(Reason("target", text, ("requantize",)))
        scheme = derive.requantizer(target, operand.params.scale, 1.0, result.scale)
        prefix = f"{match.anchor.name}.concat.{index}"
        schemes.append(encode_scheme(scheme, prefix, builder.constants))
    builder.call(
        "concat",
        tuple(operand.name for operand in match.operands),
        builder.result(),
        {
            "axis": axis,
            "schemes": schemes,
            "zero_points": [operand.params.zero_point for operand in match.operands],
            "zero_point": result.zero_point,
            "output": format_to_json(result.format),
        },
    )


PATTERN: Final = Pattern(
    name="concat",
    overloads=("cat.default",),
    primitives=needs("concat"),
    lower=_lower,
    check=_check,
    why=_why,
    operands=_operands,
    constant_operands=True,
)
