"""Passes over recurrent layers: a layer over a sequence becomes one cell for each step.

The length of a sequence is part of the graph. What is read of all steps decides what is written: a
step that is selected from the result is that cell, and only what needs all of them joins them.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import nodes
from qsim.graph.recurrent import LAYERS, arguments, refusal
from qsim.quantizer.rewriting import insert
from qsim.registry import MAX_OPERANDS
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from qsim.target import Target

_aten = torch.ops.aten
_CELLS: Final = {
    "lstm": _aten.lstm_cell.default,
    "gru": _aten.gru_cell.default,
    "rnn_tanh": _aten.rnn_tanh_cell.default,
    "rnn_relu": _aten.rnn_relu_cell.default,
}
_OVERLOADS: Final = frozenset(getattr(_aten, name).input for name in LAYERS)
_SWAPS: Final[dict[Any, tuple[Any, ...]]] = {
    _aten.transpose.int: ((0, 1), (1, 0)),
    _aten.permute.default: (([1, 0, 2],),),
}


def unroll_recurrent(graph: GraphModule, target: Target) -> None:
    """Write layers over a sequence of known length as cells, where the target has what they need.

    Elsewhere they stay whole: one operator of the host is faster than many.
    """
    for node in list(graph.graph.nodes):
        if node.target not in _OVERLOADS or refusal(node):
            continue
        pattern = registry.choose(node, target)
        if pattern and all(target.has(name) for name in pattern.primitives(node, target)):
            _Layer(graph, node).unroll()


def settle_states(graph: GraphModule) -> None:
    """Put the cell state of every LSTM cell in front of its hidden state, which is made of it.

    What other operators read of it is a copy: the state has 16 bits, the copy as many as they take.
    """
    for node in list(graph.graph.nodes):
        if node.target is not _aten.lstm_cell.default:
            continue
        for part in reversed(nodes.parts(node)):
            node.append(part)
            readers = [user for user in part.users if _reads_codes(user)]
            if part.args[1] == 1 and readers:
                with graph.graph.inserting_after(part):
                    copy = graph.graph.call_function(_aten.clone.default, (part,))
                copy.meta = dict(part.meta)
                for reader in readers:
                    reader.replace_input_with(part, copy)


def _reads_codes(user: Node) -> bool:
    return user.op == "call_function" and user.target is not _aten.lstm_cell.default


def show_states(graph: GraphModule) -> None:
    """Let the cell state of every LSTM cell be seen by an observer, though nobody else reads it."""
    cells = [node for node in graph.graph.nodes if node.target is _aten.lstm_cell.default]
    for node in cells:
        if all(part.args[1] != 1 for part in nodes.parts(node)):
            with graph.graph.inserting_after(node):
                part = graph.graph.call_function(operator.getitem, (node, 1))
            part.meta = {**node.meta, "val": node.meta["val"][1]}
    if cells:
        graph.recompile()


@dataclass(slots=True)
class _Layer:
    """One layer over a sequence, being unrolled in front of itself."""

    graph: GraphModule
    node: Node
    given: dict[str, Any] = field(default_factory=dict)

    def unroll(self) -> None:
        """Replace the layer."""
        self.given = arguments(self.node)
        time = 1 if self.given["batch_first"] else 0
        whole, hidden, *cell = self._steps(time)
        for part in list(self.node.users):
            if part.target is not operator.getitem:
                continue
            index = int(part.args[1])  # type: ignore[arg-type]
            _replace(self, part, whole if index == 0 else (hidden, *cell)[index - 1],
                     time if index == 0 else 0)  # fmt: skip
            self.graph.graph.erase_node(part)
        self.graph.graph.erase_node(self.node)

    def _steps(self, time: int) -> tuple[list[Node], list[Node], list[Node]]:
        """Return the result of every step, and the last hidden and cell states."""
        x = self.given["input"]
        sequence = [self.make(_aten.select.int, (x, time, t)) for t in range(nodes.shape(x)[time])]  # type: ignore[index]
        directions = 2 if self.given["bidirectional"] else 1
        last: list[Node] = []
        cells_: list[Node] = []
        for layer in range(self.given["num_layers"]):
            made = []
            for direction in range(directions):
                row = self._row(layer * directions + direction, sequence, backward=direction == 1)
                made.append(row[0])
                last.append(row[0][0 if direction else -1])
                cells_ += row[1]
            sequence = made[0]
            if directions == 2:
                pairs = zip(*made, strict=True)
                sequence = [self.make(_aten.cat.default, (list(pair), 1)) for pair in pairs]
        return sequence, last, cells_

    def _row(
        self, index: int, sequence: list[Node], *, backward: bool
    ) -> tuple[list[Node], list[Node]]:
        """Return the hidden states of one direction in order of time, and its last cell state."""
        name = nodes.operator_name(self.node)
        size = 4 if self.given["has_biases"] else 2
        weights = self.given["params"][size * index : size * (index + 1)]
        given = self.given["hx"]
        held = given if isinstance(given, (list, tuple)) else [given]
        states = [self._state(state, index) for state in held]
        found = []
        for x in reversed(sequence) if backward else sequence:
            before = states if name == "lstm" else states[0]
            made = self.make(_CELLS[name], (x, before, *weights), states[0])
            if name == "lstm":
                parts = [
                    self.make(operator.getitem, (made, number), states[0]) for number in (1, 0)
                ]
                states = parts[::-1]
            else:
                states = [made]
            found.append(states[0])
        return found[::-1] if backward else found, states[1:]

    def _state(self, stacked: Node, index: int) -> Node:
        """Return the state of one layer and direction, from in front of moves that stack states."""
        if stacked.target is _aten.unsqueeze.default and stacked.args[1] in (0, -3):
            return stacked.args[0]  # type: ignore[return-value]  # the operand
        if stacked.target is _aten.stack.default and nodes.argument(stacked, 1, "dim", 0) in (
            0,
            -3,
        ):
            return stacked.args[0][index]  # type: ignore[return-value,index]
        if stacked.args[1:] in _SWAPS.get(stacked.target, ()):
            return self.make(_aten.select.int, (stacked.args[0], 1, index))
        return self.make(_aten.select.int, (stacked, 0, index))

    def join(self, parts: list[Node], dim: int) -> Node:
        """Return the parts as slices of one tensor along a new dimension."""
        rows = [self.make(_aten.unsqueeze.default, (part, dim)) for part in parts]
        while len(rows) > 1:
            groups = [rows[i : i + MAX_OPERANDS] for i in range(0, len(rows), MAX_OPERANDS)]
            rows = [self.make(_aten.cat.default, (group, dim)) for group in groups]
        return rows[0]

    def make(self, target: Any, args: tuple[Any, ...], like: Node | None = None) -> Node:
        """Add an operator in front of the layer; a cell's results look like its state."""
        if like is None:
            return insert(self.graph, self.node, target, *args)
        with self.graph.graph.inserting_before(self.node):
            made = self.graph.graph.create_node("call_function", target, args)
        made.meta = {**self.node.meta, "val": like.meta["val"]}
        if target is _aten.lstm_cell.default:
            made.meta["val"] = (like.meta["val"], like.meta["val"])
        return made


def _replace(layer: _Layer, part: Node, made: list[Node], dim: int) -> None:
    """Let the readers of stacked results read those that they select, or all of them joined."""
    for user in list(part.users):
        if user.target is _aten.select.int and user.args[1] in (dim, dim - 3):
            user.replace_all_uses_with(made[int(user.args[2])])  # type: ignore[arg-type]
            layer.graph.graph.erase_node(user)
        elif dim == 0 and user.args[1:] in _SWAPS.get(user.target, ()):
            # The batch comes first: it is never anywhere else.
            user.replace_all_uses_with(layer.join(made, 1))
            layer.graph.graph.erase_node(user)
        elif dim == 0 and len(made) == 1 and user.args[1:] == (0,) and _drops(user):
            user.replace_all_uses_with(made[0])
            layer.graph.graph.erase_node(user)
    if part.users:
        part.replace_all_uses_with(layer.join(made, dim))


def _drops(user: Node) -> bool:
    return nodes.operator_name(user) == "squeeze"
