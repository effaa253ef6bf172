"""Runs a lowered edge program in Python, every delegate on its Python model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils import _pytree

from qsim.errors import ModelError, UsageError
from qsim.executorch import adapter
from qsim.executorch.edge.graph import EdgeGraph, check_graph
from qsim.executorch.edge.inputs import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.export import ExportedProgram


def run_edge(
    program: Any,
    *given: Any,
    method: str = "forward",
    keywords: Mapping[str, Any] | None = None,
) -> Any:
    """Run an edge program with its delegates replaced by their Python models.

    Delegates of ``QsimBackend`` run on the hardware models, those of other backends on what
    ``register`` was told; every other operator runs in torch, and so do the branches and loops of
    ``torch.cond``, ``map``, ``scan`` and ``while_loop``, delegates inside them included.

    Args:
        program: an ``EdgeProgramManager``, or the ``ExportedProgram`` of one of its methods.
        given: the inputs, as the method takes them: tensors or NumPy arrays, nested in tuples,
            lists and dicts as in the export; values that the program fixes.
        method: which method of a manager.
        keywords: inputs that the method takes by name.

    Returns:
        What the program returns, nested as the model returns it.

    Raises:
        UsageError: not an edge program.
        ModelError: a delegate without a Python model, or whose model fails; a program that changes
            state (buffers, its own inputs), or an operator of higher order that is not listed.
        InputError: inputs of another number, nesting, shape or dtype.
        FileFormatError: a delegate that is damaged, of another version or of another target.
    """
    found = adapter.edge_program(program, method)
    if found is None:
        raise UsageError(
            f"{type(program).__name__} has no edge program {method!r}",
            where="run_edge",
            accepted="what to_edge_transform_and_lower returns, or its exported_program()",
        )
    _check_state(found)
    check_graph(found.graph_module)
    flat = checked(found, given, dict(keywords or {}))
    with torch.no_grad():
        results = EdgeGraph(found.graph_module).run(*_arguments(found, flat))
    spec: Any = found.call_spec.out_spec
    return _pytree.tree_unflatten(list(results), spec)


def _check_state(program: ExportedProgram) -> None:
    for spec in program.graph_signature.output_specs:
        if spec.kind is not OutputKind.USER_OUTPUT:
            kind = spec.kind.name.lower().replace("_", " ")
            raise ModelError(
                f"it has a {kind} ({spec.target or spec.arg})",
                where="run_edge",
                accepted="programs that change no state; a .pte of it keeps its state",
            )


def _arguments(program: ExportedProgram, flat: list[Any]) -> list[Any]:
    """Return what the graph takes: constants and inputs, in the order of its placeholders."""
    tensors: Mapping[str, Any] = {**program.state_dict, **program.constants}
    taken = iter(flat)
    return [
        next(taken) if spec.kind is InputKind.USER_INPUT else tensors[str(spec.target)]
        for spec in program.graph_signature.input_specs
    ]
