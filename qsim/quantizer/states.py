"""Buffers that a model writes into, as inputs and outputs of its graph: the states of a network.

torch.export has a write into a buffer (``self.cache[:, :, position] = k``, ``self.count += 1``) as
an operator that writes in place, and functionalises it on demand: the buffer's new value is then an
output. Here its old value becomes an input as well, behind the model's own, and every later stage
sees a graph that computes outputs from inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree

from qsim.errors import ModelError
from qsim.graph import nodes, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import GraphModule, Node

_aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Buffer:
    """A buffer that the model writes into.

    Attributes:
        name: its path in the model, such as ``layers.0.cache``.
        initial: what it holds before the first step.
    """

    name: str
    initial: torch.Tensor


def states_in_front(graph: GraphModule) -> tuple[Buffer, ...]:
    """Make inputs of buffers that are written back to, and outputs of what is written.

    The graph then takes the model's inputs and these, and returns a tuple: what the model returns,
    and then each new value.
    """
    copies = [node for node in graph.graph.nodes if node.target is _aten.copy_.default]
    written = [node for node in copies if nodes.is_parameter(node.args[0])]
    if not written:
        return ()
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
    output = list(graph.graph.nodes)[-1]
    found, made, last = [], [], inputs[-1] if inputs else None
    for node in written:
        old: Any = node.args[0]
        value = node.args[1]
        _require_plain(old, value)
        found.append(Buffer(str(old.target), nodes.attribute(graph, old).detach().clone()))
        with graph.graph.inserting_after(last):
            state = graph.graph.placeholder(old.name)
        state.meta = {"val": old.meta["val"] if "val" in old.meta else value.meta["val"]}
        node.replace_all_uses_with(value)
        graph.graph.erase_node(node)
        for same in [each for each in graph.graph.nodes if _reads(each, old)]:
            same.replace_all_uses_with(state)
            graph.graph.erase_node(same)
        made.append(value if value is not old else state)
        last = state
    returned = output.args[0]
    returned = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    output.args = ((*returned, *made),)
    info: Any = graph.graph._codegen.pytree_info  # type: ignore[attr-defined]  # noqa: SLF001 - fx's one record of it
    _set_signature(graph, len(inputs) + len(made), info.out_spec, len(made))
    graph.recompile()
    return tuple(found)


def drop_unread(
    graph: GraphModule, states: tuple[Buffer, ...]
) -> tuple[GraphModule, tuple[Buffer, ...]]:
    """Leave out buffers whose old values nothing reads: each step writes them anew."""
    kept, output = pairs(graph, states), list(graph.graph.nodes)[-1]
    read = [bool(before.users) for before, _ in kept]
    if all(read):
        return graph, states
    returned: Any = output.args[0]
    own = list(returned)[: len(returned) - len(kept)]
    for (before, _), used in zip(kept, read, strict=True):
        if not used:
            graph.graph.erase_node(before)
    output.args = ((*own, *(after for (_, after), used in zip(kept, read, strict=True) if used)),)
    info: Any = graph.graph._codegen.pytree_info  # type: ignore[attr-defined]  # noqa: SLF001 - fx's one record of it
    count = len(info.orig_args) - len(kept)
    _set_signature(graph, count + sum(read), info.out_spec.child(0), sum(read))
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph, tuple(state for state, used in zip(states, read, strict=True) if used)


def states_as_buffers(graph: GraphModule, states: Sequence[Buffer]) -> GraphModule:
    """Make of states buffers again, which the graph writes into: what ``states_in_front`` undoes.

    The graph is changed and returned; it begins with the states' first values.
    """
    kept = pairs(graph, states)
    if not kept:
        return graph
    output = list(graph.graph.nodes)[-1]
    for number, ((before, after), state) in enumerate(zip(kept, states, strict=True)):
        name = f"state_{number}"
        graph.register_buffer(name, state.initial.clone())
        with graph.graph.inserting_before(before):
            held = graph.graph.get_attr(name)
        held.meta = dict(before.meta)
        with graph.graph.inserting_before(output):
            graph.graph.call_function(
                _aten.copy_.default, (held, held if after is before else after)
            )
        before.replace_all_uses_with(held)
        graph.graph.erase_node(before)
    output.args = (tuple(output.args[0][: -len(kept)]),)
    info: Any = graph.graph._codegen.pytree_info  # type: ignore[attr-defined]  # noqa: SLF001 - fx's one record of it
    _set_signature(graph, len(info.orig_args) - len(kept), info.out_spec.child(0), 0)
    graph.recompile()
    return graph


def pairs(graph: GraphModule, states: Sequence[Buffer]) -> list[tuple[Node, Node]]:
    """Return the input and the output of every state of a graph, in their order."""
    if not states:
        return []
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"][-len(states) :]
    returned: Any = list(graph.graph.nodes)[-1].args[0]
    return list(zip(inputs, list(returned)[-len(states) :], strict=True))


def _reads(node: Node, buffer: Node) -> bool:
    return node.op == "get_attr" and node.target == buffer.target


def _require_plain(buffer: Any, value: Any) -> None:
    if not hasattr(value, "op") or value.op == "get_attr":
        raise ModelError(
            f"the buffer {buffer.target!r} becomes a constant",
            where=place(buffer),
            accepted="a state that depends on inputs or on what it was",
        )


def _set_signature(graph: GraphModule, inputs: int, returns: Any, states: int) -> None:
    """Let the graph be called with all inputs, one after another, and return all outputs."""
    from torch.fx.graph import _PyTreeCodeGen, _PyTreeInfo

    names = [str(n.target) for n in graph.graph.nodes if n.op == "placeholder"]
    empty = [None] * inputs
    takes = _pytree.tree_structure((tuple(empty), {}))
    leaf = _pytree.tree_structure(0)
    gives = _pytree.TreeSpec(tuple, None, [returns, *[leaf] * states]) if states else returns
    graph.graph.set_codegen(_PyTreeCodeGen(_PyTreeInfo(names, takes, gives)))
