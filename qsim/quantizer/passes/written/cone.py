"""What of a graph makes a mask: the operators between one input of integers and the mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.fx import Node

from qsim.graph import nodes
from qsim.graph.nodes import attribute

if TYPE_CHECKING:
    from torch.fx import GraphModule

_MOST: Final = 80
_BATCH: Final = 2
# They read the shape or the type of their operand, and no value.
_SHAPES: Final = frozenset(
    {"sym_size", "new_ones", "new_zeros", "new_full", "ones_like", "zeros_like", "full_like"}
)
_KINDS: Final = ("bool", "int8", "int16", "int32", "int64", "uint8")


@dataclass(frozen=True, slots=True)
class Cone:
    """Operators that make a tensor of one input alone, and of how many samples there are.

    Attributes:
        graph: what holds their constants.
        order: the operators, the last one makes the tensor.
        source: the input.
    """

    graph: GraphModule
    order: tuple[Node, ...]
    source: Node

    @property
    def dtype(self) -> torch.dtype:
        """The type of the input."""
        found: torch.dtype = self.source.meta["val"].dtype
        return found

    @property
    def sizes(self) -> list[int]:
        """The shape of one sample of the input."""
        return list(self.source.meta["val"].shape[1:])

    def run(self, values: torch.Tensor) -> torch.Tensor | None:
        """Return what the operators make of two samples of the input; None where they fail."""
        made: dict[Node, Any] = {self.source: values}

        def given(item: Any) -> Any:
            if not isinstance(item, Node) or item in made:
                return made[item] if isinstance(item, Node) else item
            if nodes.is_parameter(item):
                return attribute(self.graph, item)
            return torch.zeros(_sizes(item), dtype=item.meta["val"].dtype)

        try:
            for node in self.order:
                args, kwargs = torch.fx.node.map_aggregate((node.args, node.kwargs), given)
                operator: Any = node.target
                made[node] = operator(*args, **kwargs)
        except (RuntimeError, IndexError, TypeError):  # it has no meaning for such samples
            return None
        found = made[self.order[-1]] if self.order else values
        return found if isinstance(found, torch.Tensor) else None


def _sizes(node: Node) -> list[int]:
    return [size if isinstance(size, int) else _BATCH for size in nodes.shape(node) or ()]


def cone_of(graph: GraphModule, mask: Node) -> Cone | None:
    """Return what makes a mask; None where that is not one input of integers or bools."""
    members: set[Node] = set()
    sources: set[Node] = set()
    waiting = [mask]
    while waiting:
        node = waiting.pop()
        if node in members or nodes.is_parameter(node):
            continue
        if node.op == "placeholder":
            sources.add(node)
            continue
        members.add(node)
        if node.op != "call_function" or len(members) > _MOST:
            return None
        if nodes.operator_name(node) not in _SHAPES:
            waiting.extend(node.all_input_nodes)
        else:  # a size may be computed, what is asked for its shape is not
            waiting.extend(read for read in node.all_input_nodes[1:])
    if len(sources) != 1:
        return None
    (source,) = sources
    sizes = nodes.shape(source) or ()
    open_batch = len(sizes) > 1 and all(isinstance(size, int) for size in sizes[1:])
    return Cone(graph, tuple(sorted(members)), source) if open_batch and _is_kind(source) else None


def _is_kind(node: Node) -> bool:
    return nodes.kind(node) in _KINDS
