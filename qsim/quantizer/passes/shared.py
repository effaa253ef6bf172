"""A pass over what depends on the size of the batch alone, and is the same for every sample.

Positions and causal masks are made at run time, for as many samples as there are: transformers'
models count with ``arange``, compare, and expand. None of it reads an input's values, so one
sample's part is a constant; the batch is only how often it stands there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes, recurrent
from qsim.quantizer.double import compute, float64_by_default, narrow, wide
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.rewriting import insert

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
# Of their operand they read the shape alone.
_SHAPED: Final = frozenset(
    (
        _aten.new_zeros.default,
        _aten.new_ones.default,
        _aten.new_full.default,
        _aten.zeros_like.default,
        _aten.ones_like.default,
        _aten.full_like.default,
    )
)
# Two sizes tell a batch from a number that happens to be as large.
_BATCHES: Final = (7, 11)
# What is computed for so many samples stays small.
_MOST: Final = 1 << 22


def one_for_every_sample(graph: GraphModule) -> None:
    """Make constants of what each sample has alike, expanded to the batch."""
    sizes = _of_the_batch(graph)
    runs = [_Run(graph, batch) for batch in _BATCHES]
    for node in list(graph.graph.nodes):
        if node not in sizes or all(user in sizes for user in node.users):
            continue
        if any(user.target in recurrent.CELLS for user in node.users):
            continue  # a cell begins with zeros of every sample, which stay what they are
        axis = _axis(node)
        value = None if axis is None else _alike(node, axis, runs)
        if axis is None or value is None:
            continue
        made = node.meta["val"].shape[axis]
        size = next((n for n in sizes if n.op == "call_function" and _same(n, made)), None)
        if size is None:
            continue
        constant = add_constant(graph, node, f"{node.name}_alike", value)
        ends: list[Any] = [-1] * value.ndim
        ends[axis] = size
        expanded = insert(graph, node, _aten.expand.default, constant, ends)
        node.replace_all_uses_with(expanded, delete_user_cb=lambda user: user not in sizes)
    graph.graph.eliminate_dead_code()


def _of_the_batch(graph: GraphModule) -> dict[Node, None]:
    """Return what follows from sizes and constants, in order; what is a constant stays out."""
    found: dict[Node, None] = {}
    for node in graph.graph.nodes:
        if node.op != "call_function":
            continue
        if node.target is _aten.sym_size.int:
            found[node] = None
            continue
        schema = nodes.schema(node)
        if schema is not None and (
            torch.Tag.nondeterministic_seeded in node.target.tags or len(schema.returns) != 1
        ):
            continue
        read = node.all_input_nodes[1:] if node.target in _SHAPED else node.all_input_nodes
        if all(each in found or _fixed(each) for each in read):
            found[node] = None
    return found


def _fixed(node: Node) -> bool:
    return node.op == "get_attr" or nodes.is_parameter(node)


def _axis(node: Node) -> int | None:
    """Return the only dimension of a tensor that is open, if there is one."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return None
    opened = [axis for axis, size in enumerate(value.shape) if not isinstance(size, int)]
    return opened[0] if len(opened) == 1 else None


def _same(node: Node, size: Any) -> bool:
    # Symbols are compared by their text: `==` on them would guard on the answer.
    return str(node.meta.get("val")) == str(size)


def _alike(node: Node, axis: int, runs: list[_Run]) -> torch.Tensor | None:
    """Return one sample's part, if all of them are the same in every batch."""
    parts = []
    for run in runs:
        try:
            value = narrow(run.of(node), node.meta["val"].dtype)
        except (RuntimeError, IndexError, TypeError, ValueError):
            return None
        if value.shape[axis] != run.batch or value.numel() > _MOST:
            return None
        first = value.narrow(axis, 0, 1)
        if not bool((value == first).all()):
            return None
        parts.append(first)
    return parts[0].clone() if torch.equal(*parts) else None


class _Run:
    """Computes nodes for a batch of a size, each once.

    Attributes:
        batch: the samples.
    """

    def __init__(self, graph: GraphModule, batch: int) -> None:
        self._graph, self.batch = graph, batch
        self._known: dict[Node, Any] = {}

    def of(self, node: Node) -> Any:
        """Return what a node makes; float32 in float64."""
        if node not in self._known:
            self._known[node] = self._compute(node)
        return self._known[node]

    def _compute(self, node: Node) -> Any:
        if _fixed(node):
            return wide(nodes.attribute(self._graph, node))
        value = node.meta["val"]
        if node.target is _aten.sym_size.int:
            return self._size(value)
        if node.target in _SHAPED:
            first, *rest = node.args
            shape = [self._size(size) for size in first.meta["val"].shape]  # type: ignore[union-attr]
            like = torch.empty(shape, dtype=first.meta["val"].dtype)  # type: ignore[union-attr]
            given: Any = (like, *rest)
        else:
            given = node.args
        args, kwargs = torch.fx.node.map_arg((given, node.kwargs), self.of)
        with torch.no_grad(), float64_by_default():
            return compute(node.target, args, kwargs)  # type: ignore[arg-type]

    def _size(self, size: Any) -> int:
        if isinstance(size, int):
            return size
        expression = size.node.expr
        return int(expression.subs(dict.fromkeys(expression.free_symbols, self.batch)))
