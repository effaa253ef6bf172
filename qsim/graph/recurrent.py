"""Reading recurrent operators: layers over a sequence, and cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes

if TYPE_CHECKING:
    from torch.fx import Node

LAYERS: Final = ("lstm", "gru", "rnn_tanh", "rnn_relu")
MAX_STEPS: Final = 1024
CELLS: Final = tuple(
    getattr(torch.ops.aten, name).default
    for name in ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
)
_FACTORIES: Final = frozenset({"zeros", "new_zeros", "zeros_like"})
_FILLED: Final = frozenset({"full", "new_full", "full_like"})
_MOVES: Final = frozenset(
    {"select", "squeeze", "unsqueeze", "expand", "reshape", "view", "slice", "permute", "transpose"}
    | {"contiguous", "clone", "to", "_to_copy", "detach", "alias", "repeat"}
)


def is_zero(node: Any) -> bool:
    """Return whether a tensor is zeros, as the state at the start of a sequence is."""
    while node.op == "call_function" and nodes.operator_name(node) in _MOVES:
        node = node.args[0]
    if nodes.is_parameter(node):
        return not bool(nodes.attribute(node.graph.owning_module, node).any())
    if node.op != "call_function":
        return False
    name = nodes.operator_name(node)
    value = nodes.argument(node, 2 if name == "new_full" else 1, "fill_value")
    return name in _FACTORIES or (name in _FILLED and isinstance(value, (int, float)) and not value)


def states(node: Node) -> tuple[Any, ...]:
    """Return the states that a cell reads: hidden, and the cell's own where it has one."""
    given = node.args[1]
    return tuple(given) if isinstance(given, (tuple, list)) else (given,)


def constants(node: Node) -> tuple[Any, Any, Any, Any]:
    """Return the nodes of a cell's W, U and their biases, None where there are none."""
    found = (*node.args[2:6], None, None)
    return found[0], found[1], found[2], found[3]


def arguments(node: Node) -> dict[str, Any]:
    """Return the arguments of a layer over a sequence by their names."""
    return {
        argument.name: nodes.argument(node, position, argument.name)
        for position, argument in enumerate(nodes.schema(node).arguments)
    }


def refusal(node: Node) -> str:
    """Return why a layer over a sequence is not unrolled into cells, or nothing."""
    if str(node.target).endswith(".data"):
        return "its sequences are packed: how long they are is known at run time"
    given = arguments(node)
    shape = nodes.shape(given["input"])
    if shape is None or len(shape) != 3:
        return "its input has no three dimensions"
    steps = shape[1 if given["batch_first"] else 0]
    if not isinstance(steps, int):
        return "how long its sequence is depends on the input; an unrolled one is as long as said"
    if not 1 <= steps <= MAX_STEPS:
        return f"its sequence has {steps} steps; 1 to {MAX_STEPS} are unrolled"
    if not all(map(nodes.is_parameter, given["params"])):
        return "its weights are computed at run time"
    directions = 2 if given["bidirectional"] else 1
    if len(given["params"]) != given["num_layers"] * directions * (4 if given["has_biases"] else 2):
        return "its hidden state is projected (proj_size), which no primitive does"
    return ""
