"""Rotary position embeddings as models write them: operators that turn pairs of channels.

``x * cos + rotate_half(x) * sin`` (LLaMA, GPT-NeoX), pairs side by side (GPT-J), ``x1 * cos - x2 *
sin`` beside ``x2 * cos + x1 * sin``: whatever the spelling, all are products with constants, sums
and moves of one tensor. So they are found by what they compute: the tables are read off at ones and
zeros, and must give what the operators make of drawn numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qsim.graph import attribute, is_float, is_parameter, nodes, shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch.fx import GraphModule, Node

    from hw_models.rotary import Pairing
    from qsim.target import Target

_ROOTS: Final = frozenset({"add", "cat", "reshape", "flatten", "view"})
_LINEAR: Final = _ROOTS | {
    *("mul", "neg", "sub", "slice", "select", "unsqueeze", "squeeze", "stack", "permute"),
    *("transpose", "unflatten", "roll"),
}
_MOST: Final = 24  # operators of one turn
_EXACT: Final = 1e-9


class Turn(NamedTuple):
    """What operators do to pairs of channels, in float64.

    Attributes:
        cos, sin: tables of shape [..., D/2], 1 where a dimension makes no difference.
        pairing: which channels are a pair.
    """

    cos: torch.Tensor
    sin: torch.Tensor
    pairing: Pairing


def turns(graph: Iterable[Node], target: Target) -> dict[Node, tuple[tuple[Node, ...], Node]]:
    """Return operators that turn pairs of a tensor's channels, and the tensor, by the last."""
    if not target.has("rotary"):
        return {}
    found: dict[Node, tuple[tuple[Node, ...], Node]] = {}
    for node in graph:
        whole = _candidate(node) if nodes.operator_name(node) in _ROOTS else None
        if whole is not None and turn_of(node.graph.owning_module, whole[0], shape(whole[1]) or ()):
            found[node] = whole
    return found


def _candidate(root: Node) -> tuple[tuple[Node, ...], Node] | None:
    """Return the fewest operators that end in a node and read one tensor of its shape."""
    members: set[Node] = set()
    edge: set[Node] = {root}
    while edge and len(members) < _MOST:
        last = max(edge)
        if nodes.operator_name(last) not in _LINEAR or not is_float(last):
            return None
        if last is not root and not members.issuperset(last.users):
            return None
        edge.discard(last)
        members.add(last)
        edge.update(x for x in last.all_input_nodes if not is_parameter(x) and not nodes.is_size(x))
        source = next(iter(edge)) if len(edge) == 1 else None
        if source is not None and _is_turned(source, root, members):
            return tuple(sorted(members)), source
    return None


def _is_turned(source: Node, root: Node, members: set[Node]) -> bool:
    """Return whether a source may be what members turn: pairs, and products with tables."""
    sizes = shape(source) or ()
    pairs = len(sizes) > 1 and all(isinstance(size, int) for size in sizes[1:])
    if not pairs or sizes[-1] % 2 or str(sizes) != str(shape(root)) or is_parameter(source):
        return False
    products = [node for node in members if nodes.operator_name(node) == "mul"]
    return len(products) > 1 and is_float(source)


def turn_of(
    graph: GraphModule | None, members: tuple[Node, ...], of: tuple[Any, ...]
) -> Turn | None:
    """Return what members do to the pairs of a tensor of a shape; None where that is no turn.

    What they read besides constants is that tensor.
    """
    import torch

    if graph is None:
        return None
    sizes = [size if isinstance(size, int) and size > 0 else 1 for size in of]
    depth = sizes[-1]
    drawn = torch.rand(sizes, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pairings: tuple[Pairing, ...] = ("half", "interleaved")
    for pairing in pairings:
        first, second = _pairs(depth, pairing)
        probe = torch.zeros(sizes, dtype=torch.float64)
        probe[..., first] = 1
        made = _computed(graph, members, probe)
        if made is None or made.shape != probe.shape:
            return None
        cos, sin = made[..., first], made[..., second]
        wanted = torch.empty_like(drawn)
        wanted[..., first] = drawn[..., first] * cos - drawn[..., second] * sin
        wanted[..., second] = drawn[..., second] * cos + drawn[..., first] * sin
        found = _computed(graph, members, drawn)
        if found is not None and float((found - wanted).abs().max()) < _EXACT:
            return Turn(_narrow(cos), _narrow(sin), pairing)
    return None


def _pairs(depth: int, pairing: Pairing) -> tuple[slice, slice]:
    if pairing == "half":
        return slice(0, depth // 2), slice(depth // 2, depth)
    return slice(0, depth, 2), slice(1, depth, 2)


def _narrow(table: torch.Tensor) -> torch.Tensor:
    """Keep one entry of each dimension along which a table is the same."""
    for axis in range(table.dim() - 1):
        head = table.narrow(axis, 0, 1)
        table = head if bool((table == head).all()) else table
    return table


def _computed(
    graph: GraphModule, members: tuple[Node, ...], x: torch.Tensor
) -> torch.Tensor | None:
    """Return what members make of a tensor of one sample, in float64."""
    import torch

    made: dict[Node, Any] = {}

    def given(item: Any) -> Any:
        if not isinstance(item, torch.fx.Node):
            return item
        if is_parameter(item):
            held = attribute(graph, item)
            return held.double() if held.is_floating_point() else held
        return 1 if nodes.is_size(item) else made.get(item, x)

    try:
        for node in members:
            args, kwargs = torch.fx.node.map_aggregate((node.args, node.kwargs), given)
            operator: Any = node.target
            made[node] = operator(*args, **kwargs)
    except RuntimeError:  # the batch is in a shape that one sample has not
        return None
    found = made[members[-1]]
    return found if isinstance(found, torch.Tensor) else None
