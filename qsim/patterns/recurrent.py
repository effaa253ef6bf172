"""Recurrent layers over a sequence: a pass unrolls them into cells where it can; here is why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError
from qsim.patterns import cells
from qsim.registry import Pattern

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder

LAYERS: Final = ("lstm", "gru", "rnn_tanh", "rnn_relu")
MAX_STEPS: Final = 1024


def arguments(node: Node) -> dict[str, Any]:
    """Return the arguments of a layer over a sequence by their names."""
    schema = nodes.schema(node)
    return {
        argument.name: nodes.argument(node, position, argument.name)
        for position, argument in enumerate(schema.arguments)
    }


def refusal(node: Node) -> str:
    """Return why a layer is not unrolled, or nothing."""
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


def _check(node: Node) -> bool:
    return not refusal(node)


def _lower(builder: Builder) -> None:
    del builder
    raise NotLowerableError("it was not unrolled into cells when it was quantized")


PATTERN: Final = Pattern(
    name="recurrent",
    overloads=tuple(f"{name}.{kind}" for name in LAYERS for kind in ("input", "data")),
    primitives=cells.primitives,
    lower=_lower,
    check=_check,
    why=refusal,
)
