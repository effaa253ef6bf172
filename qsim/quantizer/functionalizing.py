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
import operator
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree

from qsim.errors import ModelError
from qsim.graph import nodes, place
from qsim.quantizer.aliases import aliases, hidden_views
from qsim.quantizer.passes import SharedWriteError, know_masks, simplify

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule

    from qsim.target import Target

_aten = torch.ops.aten


def simple_graph(
    program: ExportedProgram, target: Target, masks: frozenset[str] | None = None
) -> GraphModule:
    """Return the graph of an exported program after all passes; the program is left as it is.

    Args:
        program: what was exported.
        target: the contract.
        masks: names of what masks with constants, where another length has shown it.

    Raises:
        ModelError: what the passes refuse (``passes.simplify``), or torch cannot functionalise.
    """
    try:
        graph = _owning(program.module(check_guards=False))
        know_masks(graph, masks)
        return simplify(graph, target)
    except SharedWriteError as shared:
        functional = _functionalized(program, shared.refusal)
    try:
        know_masks(functional, masks)
        return simplify(functional, target)
    except SharedWriteError as shared:
        raise shared.refusal from None


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


def _functionalized(program: ExportedProgram, refused: ModelError) -> GraphModule:
    found = aliases(program.module(check_guards=False))
    known = torch.export.default_decompositions()
    table = {each: known[each] for each in hidden_views(found) if each in known}
    try:
        graph = _plain(copy.deepcopy(program.run_decompositions(table).module(check_guards=False)))
        same = _same(program, graph)
    except ModelError:
        raise
    except Exception:
        raise refused from None
    if not same:
        raise refused
    return graph


def _same(program: ExportedProgram, graph: GraphModule) -> bool:
    """Return whether a graph returns what a program does, for its example inputs."""
    if program.example_inputs is None:
        return False
    original = program.module(check_guards=False)
    with torch.no_grad():
        made = [
            _pytree.tree_leaves(each(*copy.deepcopy(program.example_inputs[0])))
            for each in (original, graph)
        ]
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(*made, strict=True)
    )


def _plain(graph: GraphModule) -> GraphModule:
    for node in list(graph.graph.nodes):
        if node.target is _aten.copy_.default:
            _drop_writing_back(graph, node)
    _batch_norms(graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _drop_writing_back(graph: GraphModule, node: torch.fx.Node) -> None:
    """Drop the copy that hands a changed input back to the caller: a network returns outputs."""
    written, value = node.args[:2]
    if nodes.is_parameter(written):
        raise ModelError(
            f"writes into its buffer {written.target!r}",  # type: ignore[union-attr]
            where=place(value),  # type: ignore[arg-type]
            accepted="a model without state: an accelerator starts every run alike",
        )
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
