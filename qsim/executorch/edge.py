"""Runs a lowered edge program in Python, every delegate on its Python model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch._ops import HigherOrderOperator
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx import Interpreter
from torch.utils import _pytree

from qsim.errors import InputError, ModelError, UsageError
from qsim.executorch import adapter
from qsim.executorch.registry import model_of
from qsim.executorch.view import is_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.export import ExportedProgram


def run_edge(program: Any, *inputs: Any, method: str = "forward") -> Any:
    """Run an edge program with its delegates replaced by their Python models.

    Delegates of ``QsimBackend`` run on the hardware models, those of other backends on what
    ``register`` was told; every other operator runs in torch.

    Args:
        program: an ``EdgeProgramManager``, or the ``ExportedProgram`` of one of its methods.
        inputs: as the method takes them: tensors, or tuples, lists and dicts of tensors.
        method: which method of a manager.

    Returns:
        What the program returns, nested as the model returns it.

    Raises:
        UsageError: not an edge program.
        ModelError: a delegate without a Python model, or a program that does more than compute:
            control flow, or changes of buffers.
        InputError: inputs of another number, shape or dtype.
        FileFormatError: a delegate that is damaged, of another version or of another target.
    """
    found = adapter.edge_program(program, method)
    if found is None:
        raise UsageError(
            f"{type(program).__name__} has no edge program {method!r}",
            where="run_edge",
            accepted="what to_edge_transform_and_lower returns, or its exported_program()",
        )
    _check(found)
    flat = _pytree.tree_leaves(inputs)
    _check_inputs(found, flat)
    with torch.no_grad():
        results = _Edge(found.graph_module).run(*_arguments(found, flat))
    spec: Any = found.call_spec.out_spec
    return _pytree.tree_unflatten(list(results), spec)


class _Edge(Interpreter):
    """Interprets the graph; calls of delegates go to their models."""

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what a node makes."""
        if target is not adapter.call_delegate():
            return super().call_function(target, args, kwargs)
        module, *given = args
        specs = {spec.key: bytes(spec.value) for spec in module.compile_specs}
        model, _ = model_of(module.backend_id)
        made = model(module.processed_bytes, given, specs)
        several = made if isinstance(made, (tuple, list)) else [made]
        return [torch.as_tensor(value) for value in several]


def _check(program: ExportedProgram) -> None:
    """Refuse, before anything runs, what the interpreter does not do."""
    for spec in program.graph_signature.output_specs:
        if spec.kind is not OutputKind.USER_OUTPUT:
            kind = spec.kind.name.lower().replace("_", " ")
            raise ModelError(
                f"it has a {kind} ({spec.target or spec.arg})",
                where="run_edge",
                accepted="programs that change no state",
            )
    for node in program.graph.nodes:
        if node.op == "call_function" and node.target is adapter.call_delegate():
            model_of(getattr(program.graph_module, node.args[0].target).backend_id)
        elif isinstance(node.target, HigherOrderOperator):
            raise ModelError(
                f"it calls {node.target} ({node.name})",
                where="run_edge",
                accepted="programs without control flow",
            )


def _arguments(program: ExportedProgram, inputs: list[Any]) -> list[Any]:
    """Return what the graph takes: constants and inputs, in the order of its placeholders."""
    tensors: Mapping[str, Any] = {**program.state_dict, **program.constants}
    given = iter(inputs)
    return [
        next(given) if spec.kind is InputKind.USER_INPUT else tensors[str(spec.target)]
        for spec in program.graph_signature.input_specs
    ]


def _check_inputs(program: ExportedProgram, inputs: list[Any]) -> None:
    """Require inputs of the program's shapes and dtypes; one size for every symbol."""
    names = program.graph_signature.user_inputs
    if len(names) != len(inputs):
        raise InputError(
            f"{len(inputs)} inputs were given", where="run_edge", accepted=str(len(names))
        )
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    sizes: dict[str, int] = {}
    for at, (name, given) in enumerate(zip(names, inputs, strict=True)):
        wanted = values[name]
        where = f"input {at} ({name})"
        if not isinstance(wanted, torch.Tensor):
            if type(given) is not type(wanted) or given != wanted:
                raise InputError(f"is {given!r}", where=where, accepted=repr(wanted))
            continue
        if not isinstance(given, torch.Tensor) or given.dtype != wanted.dtype:
            found = given.dtype if isinstance(given, torch.Tensor) else type(given).__name__
            raise InputError(f"is {found}", where=where, accepted=f"a tensor of {wanted.dtype}")
        _check_shape(program, given, wanted, sizes, where)


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
