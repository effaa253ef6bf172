"""Reads an exported program into the graph that qsim's patterns and lowering know.

Edge operators become the torch operators behind them, and parameters, buffers and lifted constants
become ``get_attr`` nodes. Codes that nothing in the program quantized (an integer input) get a
quantize node of their own, because the lowering knows codes by it. Sizes are left out: the lowering
reads shapes from metadata.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed
from torch.fx import Graph, GraphModule, Node, map_arg

from qsim.executorch.adapter import plain_operator
from qsim.executorch.compiling.view import MARK, View
from qsim.executorch.edge import is_known, is_size
from qsim.graph import is_parameter
from qsim.lowering import is_dequantize, is_quantize
from qsim.registry import Reason
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.export import ExportedProgram

_SIZED: Final = Reason("batch", "one of its arguments is a size that depends on the batch")


def read_program(program: ExportedProgram, constants: Mapping[str, torch.Tensor]) -> View:
    """Return the view of a program in any dialect.

    Args:
        program: what torch.export or the edge transformation made.
        constants: values by placeholder; the other placeholders are inputs.
    """
    reader = _Reader(constants)
    for node in program.graph.nodes:
        reader.read(node)
    return reader.view()


class _Reader:
    """Copies a graph node by node: as it is, and without quantize and dequantize."""

    def __init__(self, constants: Mapping[str, torch.Tensor]) -> None:
        self.constants = constants
        self.plain, self.floats = Graph(), Graph()
        self.at: dict[Node, Node] = {}  # a node of the program -> its copy as it is
        self.float_at: dict[Node, Node] = {}  # likewise, without quantize and dequantize
        self.attributes: dict[str, Any] = {}
        self.standing: dict[Node, Node] = {}  # codes that nothing quantized -> their quantize
        self.inputs: list[Node] = []
        self.batch: str | None = None
        self.parts = View(GraphModule({}, Graph()), GraphModule({}, Graph()))

    def view(self) -> View:
        """Return what was read."""
        self.parts.graph = GraphModule(self.attributes, self.plain)
        # Patterns read constants of the float graph, too; a module's graph must return something.
        self.floats.output(None)
        self.parts.floats = GraphModule(self.attributes, self.floats)
        self.parts.codes = [i for i, node in enumerate(self.inputs) if node in self.standing]
        return self.parts

    def read(self, node: Node) -> None:
        """Copy one node."""
        if node.op == "output":
            made = self.plain.output(map_arg(node.args[0], lambda item: self.at[item]))
            self.parts.source[made] = node
        elif node.op == "get_attr":
            self._constant(node, attrgetter(str(node.target))(node.graph.owning_module))
        elif node.op == "placeholder" and node.name in self.constants:
            self._constant(node, self.constants[node.name])
        elif is_size(node):
            return
        elif node.op == "placeholder":
            self.inputs.append(node)
            self._add(node, self._copy(self.plain, node), self._copy(self.floats, node))
        else:
            self._call(node)

    def _add(self, node: Node, plain: Node, floats: Node) -> None:
        self.at[node], self.float_at[node] = plain, floats
        self.parts.source[plain] = node
        self.parts.origins[plain.name] = floats
        self._note_shape(plain)

    def _copy(self, graph: Graph, node: Node, target: Any = None) -> Node:
        """Return a copy without arguments."""
        made = graph.create_node(node.op, target or node.target, name=node.name)
        made.meta = dict(node.meta)
        return made

    def _constant(self, node: Node, value: Any) -> None:
        name = f"constant_{len(self.attributes)}"
        self.attributes[name] = value
        made = [
            graph.create_node("get_attr", name, name=node.name)
            for graph in (self.plain, self.floats)
        ]
        for copied in made:
            copied.meta = dict(node.meta)
        self._add(node, *made)

    def _call(self, node: Node) -> None:
        target = plain_operator(node.target)
        made = self._copy(self.plain, node, target)
        made.args, made.kwargs = self._arguments(node, self.at)
        if is_dequantize(made) and made.args and not is_parameter(made.args[0]):
            made.args = (self._quantized(made), *made.args[1:])
        if is_quantize(made) or is_dequantize(made):
            self._add(node, made, self._real(node, made))
            return
        floats = self._copy(self.floats, node, target)
        floats.args, floats.kwargs = self._arguments(node, self.float_at)
        self._add(node, made, floats)
        self._note_reason(node, made)

    def _arguments(self, node: Node, copies: Mapping[Node, Node]) -> tuple[Any, Any]:
        # A size becomes -1: of what is lowered only reshapes may read one, and they read shapes.
        def replaced(item: Node) -> Any:
            return copies.get(item, -1)

        return map_arg((node.args, node.kwargs), replaced)

    def _note_reason(self, node: Node, made: Node) -> None:
        reason = (node.meta.get("custom") or {}).get(MARK)
        names = {pattern.name for pattern in registry.candidates(made.target)}
        if reason is not None:
            self.parts.why[made.name] = Reason(**reason)
        elif names and names != {"reshape"} and any(map(is_size, node.all_input_nodes)):
            self.parts.why[made.name] = _SIZED

    def _real(self, node: Node, made: Node) -> Node:
        """Return what stands for a quantize or dequantize in the float graph: its operand."""
        source = self.float_at[node.all_input_nodes[0]]
        if not is_parameter(made.args[0]):
            return source
        real = self.floats.create_node("get_attr", source.target)
        real.meta = {"val": node.meta.get("val")}
        return real

    def _quantized(self, dequantize: Node) -> Any:
        """Return the quantize node that a dequantize reads, a new one if nothing made its codes."""
        source = dequantize.args[0]
        if not isinstance(source, Node) or is_quantize(source):
            return source
        if not str(dequantize.target).endswith("per_tensor.default"):
            return source
        behind = self.parts.source[source]
        if behind not in self.standing:
            target = torch.ops.quantized_decomposed.quantize_per_tensor.default
            made = self.plain.call_function(target, (source, *dequantize.args[1:6]))
            made.meta = dict(source.meta)
            self.standing[behind] = made
            self._note_shape(made)
            # Patterns ask the float graph for the dtype of what an operator reads.
            self.float_at[behind].meta["val"] = dequantize.meta.get("val")
        found = self.standing[behind]
        # Codes that are read in two ways: the second reading stays on the host.
        return found if found.args[1:] == dequantize.args[1:6] else source

    def _note_shape(self, node: Node) -> None:
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            return
        # Symbols are compared by their text: `==` on them would guard on the answer.
        sizes: list[Any] = [size if is_known(size) else str(size) for size in value.shape]
        if self.batch is None and sizes and isinstance(sizes[0], str):
            self.batch = sizes[0]
        if sizes and sizes[0] == self.batch:
            sizes[0] = -1
        if any(isinstance(size, str) for size in sizes):
            at = sizes.index(self.batch) if self.batch in sizes else None
            self.parts.shapes.mixed[node] = at if [*map(type, sizes)].count(str) == 1 else None
        else:
            self.parts.shapes.found[node] = tuple(sizes)
