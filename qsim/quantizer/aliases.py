"""Which nodes of an exported graph share memory: what one writes, the others read.

Two things say so. An operator's schema says what it *may* share: `reshape` does or does not, as the
strides come out, and those depend on the batch. The graph, run on tensors without data, says what
*is* shared, and knows what no schema tells: dropout in eval hands its input on, einsum may permute.
A node shares memory with another where either says so.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.fx import Interpreter

from qsim.errors import ModelError
from qsim.graph import nodes, place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
# Operators that give several views of one tensor, of which no two have an element in common.
_DISJOINT: Final = frozenset(
    {"chunk", "split", "split_with_sizes", "tensor_split", "unbind", "unsafe_chunk"}
    | {"unsafe_split", "unsafe_split_with_sizes", "hsplit", "vsplit", "dsplit"}
)
# In place, these change a tensor's shape and no element.
_SHAPES: Final[dict[Any, Any]] = {
    _aten.squeeze_.default: _aten.squeeze.default,
    _aten.squeeze_.dim: _aten.squeeze.dim,
    _aten.squeeze_.dims: _aten.squeeze.dims,
    _aten.unsqueeze_.default: _aten.unsqueeze.default,
    _aten.t_.default: _aten.t.default,
    _aten.transpose_.default: _aten.transpose.int,
    _aten.detach_.default: _aten.detach.default,
}


def in_place_shape(node: Node) -> Any:
    """Return the view that an operator makes which changes a shape in place, None for others."""
    return _SHAPES.get(node.target)


def operands(value: Any) -> Iterator[Node]:
    """Give the nodes of an argument: itself, or those of a list."""
    if isinstance(value, torch.fx.Node):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from operands(item)


def arguments(node: Node) -> Iterator[tuple[Any, Any]]:
    """Give what each argument of a node's schema is given, with the schema's argument."""
    schema = nodes.schema(node)
    for position, argument in enumerate(() if schema is None else schema.arguments):
        yield argument, nodes.argument(node, position, argument.name)


@dataclass(slots=True)
class Aliases:
    """The memory behind each node of a graph.

    Attributes:
        values: what each node makes, as tensors without data.
        sources: for each node, the operands whose memory its result may share.
        groups: for each node, all that may share memory with it, itself among them.
    """

    values: dict[Node, Any]
    sources: dict[Node, list[Node]] = field(default_factory=dict)
    groups: dict[Node, set[Node]] = field(default_factory=dict)

    def overlap(self, one: Node, other: Node) -> bool:
        """Return whether two nodes may have an element in common."""
        if other not in self.groups[one]:
            return False
        first, second = self._path(one), self._path(other)
        if first[0] is not second[0]:
            return True
        pairs = zip(first, second, strict=False)
        parting = next(((a, b) for a, b in pairs if a is not b), None)
        if parting is None:
            return True
        a, b = parting
        apart = _is_part(a) and _is_part(b) and a.args[0] is b.args[0] and a.args[1] != b.args[1]
        return not apart

    def _path(self, node: Node) -> list[Node]:
        """Return the nodes from the first owner of a node's memory to the node."""
        path = [node]
        while len(self.sources[path[0]]) == 1:
            path.insert(0, self.sources[path[0]][0])
        return path


def _is_part(node: Node) -> bool:
    whole = node.args[0] if node.target is operator.getitem else None
    return isinstance(whole, torch.fx.Node) and nodes.operator_name(whole) in _DISJOINT


def aliases(graph: GraphModule) -> Aliases:
    """Return what shares memory in a graph.

    Raises:
        ModelError: the graph does not run on tensors without data.
    """
    found = Aliases(_values(graph))
    holders: dict[int, Node] = {}
    for node in graph.graph.nodes:
        stored = _storages(found.values.get(node))
        found.sources[node] = [
            source
            for source in _may_share(node, found.values)
            if not _apart(found.values.get(source), found.values.get(node))
        ]
        group = {node}
        first = [holders.setdefault(storage, node) for storage in stored]
        for other in (*found.sources[node], *(holder for holder in first if holder is not node)):
            group |= found.groups[other]
        if not found.sources[node] and len(group) > 1:
            # Shared without a schema that says so: with one operand, if it is that alone.
            near = [n for n in node.all_input_nodes if n in group]
            found.sources[node] = near[:1] if len(near) == 1 else []
        for member in group:
            found.groups[member] = group
    return found


def hidden_views(found: Aliases) -> set[Any]:
    """Return the operators that hand on memory of an operand in a graph, and do not say so."""
    return {
        node.target
        for node, value in found.values.items()
        if nodes.schema(node) is not None
        and all(argument.alias_info is None for argument, _ in arguments(node))
        and any(
            set(_storages(value)) & set(_storages(found.values.get(source)))
            for source in node.all_input_nodes
        )
    }


def _may_share(node: Node, values: dict[Node, Any]) -> list[Node]:
    """Return the operands whose memory an operator may hand on, as far as it says."""
    if node.target is operator.getitem:
        return list(operands(node.args[0]))
    if node.op == "call_function" and nodes.schema(node) is None:
        return [source for source in node.all_input_nodes if _storages(values.get(source))]
    shared = (given for argument, given in arguments(node) if argument.alias_info is not None)
    return [source for given in shared for source in operands(given)]


def _apart(source: Any, result: Any) -> bool:
    """Return whether a cast has made another tensor, whatever its schema allows for."""
    if not isinstance(source, torch.Tensor) or not isinstance(result, torch.Tensor):
        return False
    return source.dtype != result.dtype and not set(_storages(source)) & set(_storages(result))


def _storages(value: Any) -> list[int]:
    if isinstance(value, torch.Tensor):
        return [value.untyped_storage()._cdata]  # noqa: SLF001 - the one identity of a storage
    if isinstance(value, (list, tuple)):
        return [storage for item in value for storage in _storages(item)]
    return []


def _values(graph: GraphModule) -> dict[Node, Any]:
    """Run the graph on tensors without data; all are kept, so that no storage's place is reused."""
    found: dict[Node, Any] = {}
    inputs = [node.meta.get("val") for node in graph.graph.nodes if node.op == "placeholder"]
    modes = [value.fake_mode for value in inputs if hasattr(value, "fake_mode")]
    if not modes:
        raise ModelError("no input of the exported graph is a tensor", accepted="1 or more")
    mode = modes[0]
    running: list[Node] = []

    class Recorder(Interpreter):
        def run_node(self, n: Node) -> Any:
            running[:] = [n]
            found[n] = _detached(super().run_node(n))
            if in_place_shape(n) is not None:
                self.env.update(dict.fromkeys(operands(n.args[0]), found[n]))  # read from now on
            return found[n]

        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            if target is _aten.baddbmm.default:  # has no sizes where the batch is a symbol
                return torch.bmm(*args[1:3])
            # torch ends the process where squeeze_ meets a size that is a symbol.
            return super().call_function(_SHAPES.get(target, target), args, kwargs)

        def fetch_attr(self, target: str) -> Any:
            value = super().fetch_attr(target)
            return mode.from_tensor(value, static_shapes=True) if _is_real(value) else value

    with mode, torch.no_grad():
        try:
            Recorder(graph).run(*map(_detached, inputs), enable_io_processing=False)
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise ModelError(
                f"the exported graph does not run on shapes alone: {lines[0][:200]}",
                where="".join(map(place, running)),
                accepted="a graph whose shapes do not depend on data",
            ) from error
    return found


def _detached(value: Any) -> Any:
    """Return tensors of the same memory whose shapes no later operator can change in place."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(_detached, value))
    return value.detach() if isinstance(value, torch.Tensor) else value


def _is_real(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not hasattr(value, "fake_mode")
