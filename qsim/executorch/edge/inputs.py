"""What callers give an edge program, checked against what it was exported with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.export.graph_signature import InputKind
from torch.utils import _pytree

from qsim.errors import InputError
from qsim.executorch import inputs
from qsim.executorch.edge.sizes import is_known

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def checked(
    program: ExportedProgram, given: tuple[Any, ...], keywords: dict[str, Any]
) -> list[Any]:
    """Return the inputs one after another, of the program's shapes and dtypes.

    Raises:
        InputError: inputs of another number, nesting, shape or dtype.
    """
    return _checked(program, _flat(program, given, keywords))


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


def _checked(program: ExportedProgram, flat: list[Any]) -> list[Any]:
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
            checked.append(inputs.as_exported(given, wanted, where))
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
