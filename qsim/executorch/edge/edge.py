"""Runs a lowered edge program in Python, every delegate on its Python model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils import _pytree

from qsim.errors import InputError, ModelError, UsageError
from qsim.executorch import adapter, inputs
from qsim.executorch.compiling.view import is_known
from qsim.executorch.edge.edge_graph import EdgeGraph, check_graph

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
    flat = _check_inputs(found, _flat(found, given, dict(keywords or {})))
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


def _flat(program: ExportedProgram, given: tuple[Any, ...], keywords: dict[str, Any]) -> list[Any]:
    """Return the inputs one after another, in the order of the program's."""
    spec: Any = program.call_spec.in_spec
    if spec is None:
        return _pytree.tree_leaves((given, keywords))
    positional, named = spec.children()
    names = list(named.context) if named.children() else []
    if len(given) != len(positional.children()) or sorted(keywords) != sorted(names):
        counted = f"{len(positional.children())}"
        raise InputError(
            f"{len(given)} inputs were given" + "".join(f", {name}" for name in keywords),
            where="run_edge",
            accepted=", ".join((counted, *names)),
        )
    leaves, nesting = _pytree.tree_flatten((given, {name: keywords[name] for name in names}))
    if nesting != spec:
        raise InputError("the inputs are nested otherwise", where="run_edge", accepted=_shape(spec))
    return leaves


def _shape(spec: Any) -> str:
    """Return the nesting of inputs as text."""
    tree = _pytree.tree_unflatten(["*"] * spec.num_leaves, spec)
    text = ", ".join([*map(str, tree[0]), *(f"{name}={value}" for name, value in tree[1].items())])
    return f"({text})".replace("'*'", "*")


def _arguments(program: ExportedProgram, flat: list[Any]) -> list[Any]:
    """Return what the graph takes: constants and inputs, in the order of its placeholders."""
    tensors: Mapping[str, Any] = {**program.state_dict, **program.constants}
    taken = iter(flat)
    return [
        next(taken) if spec.kind is InputKind.USER_INPUT else tensors[str(spec.target)]
        for spec in program.graph_signature.input_specs
    ]


def _check_inputs(program: ExportedProgram, flat: list[Any]) -> list[Any]:
    """Return inputs of the program's shapes and dtypes; one size for every symbol."""
    names = [
        str(spec.arg.name)
        for spec in program.graph_signature.input_specs
        if spec.kind is InputKind.USER_INPUT
    ]
    if len(names) != len(flat):
        raise InputError(
            f"{len(flat)} inputs were given", where="run_edge", accepted=str(len(names))
        )
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    sizes: dict[str, int] = {}
    checked = []
    for at, (name, given) in enumerate(zip(names, flat, strict=True)):
        wanted = values[name]
        where = f"input {at} ({name})"
        if isinstance(wanted, torch.Tensor):
            given = inputs.tensor_of(given, wanted.dtype, where, f"a tensor of {wanted.dtype}")
            _check_shape(program, given, wanted, sizes, where)
            checked.append(given)
        else:
            checked.append(inputs.fixed(given, wanted, where))
    return checked


def _check_shape(
    program: ExportedProgram,
    given: torch.Tensor,
    wanted: torch.Tensor,
    sizes: dict[str, int],
    where: str,
) -> None:
    bounds = {str(symbol): limits for symbol, limits in program.range_constraints.items()}
    accepted = f"({', '.join(map(str, wanted.shape))})"
    fits = given.dim() == wanted.dim()
    for size, known in zip(given.shape, wanted.shape, strict=False):
        if is_known(known):
            fits = fits and size == known
            continue
        limits = bounds.get(str(known))
        if limits is not None:
            # torch exports an open dimension as 2 or more and, as torch itself, takes 1 too.
            low = limits.lower if limits.lower > 2 else 1
            accepted = accepted.replace(str(known), f"{low}..{limits.upper}")
            fits = fits and low <= size <= limits.upper
        fits = fits and sizes.setdefault(str(known), size) == size
    if not fits:
        raise InputError(f"has shape {tuple(given.shape)}", where=where, accepted=accepted)
