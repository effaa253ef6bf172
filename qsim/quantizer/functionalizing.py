"""Graphs whose writes in place reach views that are read later, made functional by torch.export.

`functional` turns a write that nothing else sees into one operator, and leaves the rest of a
graph as it was exported. Where another view sees it, the whole program is functionalised as
``ExportedProgram.run_decompositions`` does it: views are computed anew from what was written, by
``slice_scatter`` and its like. Its table of decompositions has only operators that hand on their
operand's memory without saying so (dropout in eval), which torch would take for copies; so
convolutions, pools, linear layers and attention stay what they are. What it spells otherwise is
spelled back here, and what it made is compared with the program once, on the example inputs.
"""

from __future__ import annotations

import copy
import functools
import operator
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.utils import _pytree

from qsim.errors import ModelError
from qsim.graph import written_buffers
from qsim.quantizer.aliases import aliases, hidden_views
from qsim.quantizer.passes import SharedWriteError, know_masks, know_positions, simplify
from qsim.quantizer.states import drop_unread, states_in_front

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule

    from qsim.quantizer.skeleton import Skeleton
    from qsim.quantizer.states import Buffer
    from qsim.target import Target

_aten = torch.ops.aten
_NO_STATES: Final = ModelError(
    "writes into its buffers in a way that torch does not make functional",
    accepted="assignments to slices, index_copy_, index_put_, copy_ and operators in place",
)


def simple_graph(
    program: ExportedProgram, target: Target, first: Skeleton | None = None
) -> tuple[GraphModule, tuple[Buffer, ...]]:
    """Return the graph of an exported program after all passes, and the buffers that it writes.

    Each of these is an input behind the model's own, and an output behind the model's own; see
    ``quantizer.states``. The program is left as it is.

    Args:
        program: what was exported.
        target: the contract.
        first: of the same model at another length, which has shown what masks and what counts.

    Raises:
        ModelError: what the passes refuse (``passes.simplify``), or torch cannot functionalise.
    """
    if written_buffers(program):
        functional, states = _functionalized(program, _NO_STATES)
    else:
        try:
            graph = _owning(program.module(check_guards=False))
            _know(graph, first)
            return simplify(graph, target), ()
        except SharedWriteError as shared:
            functional, states = _functionalized(program, shared.refusal)
    try:
        _know(functional, first)
        return drop_unread(simplify(functional, target), states)
    except SharedWriteError as shared:
        raise shared.refusal from None


def _know(graph: Any, first: Skeleton | None) -> None:
    """Let passes decide as they did at another length."""
    if first is not None:
        know_masks(graph, first.masks)
        know_positions(graph, first.positions)


def _owning(graph: Any) -> Any:
    """Give a new graph constants of its own: it shares them with the user's module."""
    shared: dict[int, Any] = {}  # two names of one tensor stay two names of one
    for module in graph.modules():
        held = [
            *module.named_parameters(recurse=False, remove_duplicate=False),
            *module.named_buffers(recurse=False, remove_duplicate=False),
            *((name, value) for name, value in vars(module).items() if torch.is_tensor(value)),
        ]
        for name, value in held:
            setattr(module, name, copy.deepcopy(value, shared))
    return graph


def _functionalized(
    program: ExportedProgram, refused: ModelError
) -> tuple[GraphModule, tuple[Buffer, ...]]:
    found = aliases(program.module(check_guards=False))
    known = torch.export.default_decompositions()
    table = {each: known[each] for each in hidden_views(found) if each in known}
    try:
        graph = copy.deepcopy(program.run_decompositions(table).module(check_guards=False))
        states = states_in_front(graph)
        graph = _plain(graph)
        same = _same(program, graph, states)
    except ModelError:
        raise
    except Exception:
        raise refused from None
    if not same:
        raise refused
    return graph, states


def _same(program: ExportedProgram, graph: GraphModule, states: tuple[Buffer, ...]) -> bool:
    """Return whether a graph returns what a program does, for its example inputs.

    And, of states, what the program leaves in its buffers.
    """
    if program.example_inputs is None:
        return False
    original = _owning(program.module(check_guards=False))
    inputs = copy.deepcopy(program.example_inputs[0])
    with torch.no_grad():
        found = _pytree.tree_leaves(original(*copy.deepcopy(inputs)))
        found += [functools.reduce(getattr, each.name.split("."), original) for each in states]
        begun = (each.initial.clone() for each in states)
        made = [found, _pytree.tree_leaves(graph(*inputs, *begun))]
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(*made, strict=True)
    )


def _plain(graph: GraphModule) -> GraphModule:
    for node in list(graph.graph.nodes):
        if node.target is _aten.copy_.default:
            _drop_writing_back(graph, node)
        elif node.target is _aten.view.default:
            # How a tensor lies is torch's own matter, and another one in float64.
            node.target = _aten.reshape.default
    _batch_norms(graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _drop_writing_back(graph: GraphModule, node: torch.fx.Node) -> None:
    """Drop the copy that hands a changed input back to the caller: a network returns outputs."""
    value = node.args[1]
    node.replace_all_uses_with(value)  # type: ignore[arg-type]
    graph.graph.erase_node(node)


def _batch_norms(graph: GraphModule) -> None:
    """Spell batch norms in eval as they are exported."""
    for node in list(graph.graph.nodes):
        if node.target is not _aten._native_batch_norm_legit_no_training.default:  # noqa: SLF001
            continue
        parts = [user for user in node.users if user.target is operator.getitem and user.users]
        if any(part.args[1] != 0 for part in parts) or not parts:
            continue
        x, weight, bias, mean, variance, momentum, eps = node.args
        node.target = _aten.batch_norm.default
        node.args = (x, weight, bias, mean, variance, False, momentum, eps, False)
        node.meta["val"] = parts[0].meta["val"]
        for part in list(node.users):
            part.replace_all_uses_with(node)
            graph.graph.erase_node(part)
