"""What a cell reads, and whether the primitives compute it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsim.graph import nodes
from qsim.graph.recurrent import constants, is_zero, states
from qsim.registry import Reason

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.target import Target


def primitives(node: Node | None, target: Target) -> tuple[str, ...]:
    """Return what a step of a cell takes."""
    del node
    table = "lookup" if target.has("lookup") or not target.has("interpolate") else "interpolate"
    return ("correlation", "bias_add", "requantize", "add", "mul", table)


def operands(node: Node) -> tuple[Any, ...]:
    """Return the input, and the states that are not zeros."""
    return (node.args[0], *(state for state in states(node) if not is_zero(state)))


def check(node: Node) -> bool:
    """Return whether the weights are constants and the input has a row per sample."""
    w, u, b, c = constants(node)
    plain = all(nodes.is_parameter(item) for item in (w, u))
    biases = all(item is None or nodes.is_parameter(item) for item in (b, c))
    return plain and biases and nodes.is_float(node.args[0]) and nodes.has_rank(node.args[0], 2)


def why(node: Node) -> str | Reason:
    """Return why ``check`` refuses."""
    if not nodes.has_rank(node.args[0], 2):
        return "its input has no batch"
    if not nodes.is_float(node.args[0]):
        return Reason.of_type(nodes.kind(node.args[0]))
    return "its weights are computed at run time"
