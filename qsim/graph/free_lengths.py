"""One export for every length of a sequence: the graphs of single lengths come out of it.

An export at one length alone may have other operators than one at another: torch takes a dimension
of size 1 for a constant. Out of an export with a symbolic length all have the same.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.graph.batching import batch_dims
from qsim.graph.capturing import exporting
from qsim.graph.places import place_of_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch

    from qsim.graph.arguments import Arguments

    Sized = Callable[[tuple[torch.Tensor, ...], int], tuple[torch.Tensor, ...]]

# Of a recurrent layer.
UNROLLED: Final = "it has a step for each element of its sequence, whose length is free"
A_CELL: Final = "no lengths=, or a cell (LSTMCell) whose state is a buffer, one element a call"


def with_lengths(
    model: Any,
    arguments: Arguments,
    axes: Sequence[tuple[int, int]],
    bounds: tuple[int, int],
    resized: Sized,
) -> torch.nn.Module:
    """Return a module that ``capture`` takes at any length, with the same operators.

    Args:
        model: a module, or an exported program whose length is symbolic.
        arguments: of the model.
        axes: the inputs, by position, and the dimensions that are the length.
        bounds: the least and the greatest length.
        resized: returns inputs of another length.

    Raises:
        ModelError: the model asks for one length, or computes something else at one of the bounds.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        graph: torch.nn.Module = model.module(check_guards=False)
        return graph
    with exporting(model):
        stands = arguments.positional(model)
        graph = _exported(stands, arguments.tensors, axes, bounds, resized)
        for length in bounds:
            inputs = resized(arguments.tensors, length)
            if not _agree(stands, graph, inputs):
                raise ModelError(
                    f"at length {length} it computes something else than at others",
                    where=type(model).__name__,
                    accepted="bounds within which it asks for no length",
                )
    return graph


def _exported(
    model: torch.nn.Module,
    tensors: tuple[torch.Tensor, ...],
    axes: Sequence[tuple[int, int]],
    bounds: tuple[int, int],
    resized: Sized,
) -> torch.nn.Module:
    import torch

    least, most = bounds
    length = torch.export.Dim("length", min=least, max=most)
    dims = batch_dims(model, tensors)
    rows = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple) else dims
    for index, axis in axes:
        rows[index][axis] = length
    # Sizes that differ from one another and from 1, or torch takes one for the other.
    batch = 3 if most == 2 else 2
    sized = resized(tensors, most)
    given = tuple(
        torch.cat([x[:1]] * batch) if x.dim() and (index, 0) not in axes else x
        for index, x in enumerate(sized)
    )
    try:
        program = torch.export.export(model, given, dynamic_shapes=dims, strict=False)
    except Exception as first:
        return _fixed_batch(model, sized, dims, axes, first)
    module: torch.nn.Module = program.module(check_guards=False)
    return module


def _fixed_batch(
    model: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    dims: Any,
    axes: Sequence[tuple[int, int]],
    first: Exception,
) -> torch.nn.Module:
    """Export a model that fixes its batch, or say why it fixes its length."""
    import torch

    rows = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple) else dims
    for index, row in enumerate(rows):
        if (index, 0) not in axes:
            row.pop(0, None)
    try:
        program = torch.export.export(model, inputs, dynamic_shapes=dims, strict=False)
    except ModelError:
        raise
    except Exception:
        layer = _recurrent(model)
        if layer is not None:
            raise ModelError(UNROLLED, where=layer, accepted=A_CELL) from None
        lines = [line.strip() for line in str(first).splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("- ")), (lines or [""])[0])
        raise ModelError(
            f"cannot be exported with a free length: {reason.lstrip('- ')[:200]}",
            where=place_of_error(first, model) or type(model).__name__,
            accepted="a model that takes every length within the bounds; else no lengths=",
        ) from None
    module: torch.nn.Module = program.module(check_guards=False)
    return module


def _recurrent(model: torch.nn.Module) -> str | None:
    """Return the path of a recurrent layer, which torch computes for a known number of steps."""
    import torch

    kinds = torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN
    found = (path for path, each in model.named_modules() if isinstance(each, kinds))
    path = next(found, None)
    return type(model).__name__ if path == "" else path


@contextlib.contextmanager
def unwritten(module: torch.nn.Module) -> Iterator[None]:
    """Run a module that may write into its buffers, and leave them as they were."""
    held = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, before in held:
            buffer.copy_(before)


def _agree(
    model: torch.nn.Module, graph: torch.nn.Module, inputs: tuple[torch.Tensor, ...]
) -> bool:
    import torch
    from torch.utils import _pytree

    def leaves(module: torch.nn.Module) -> list[Any]:
        with unwritten(module):
            return _pytree.tree_leaves(module(*(each.clone() for each in inputs)))

    return all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)
        if isinstance(a, torch.Tensor) and a.is_floating_point()
        else torch.equal(a, b)
        if isinstance(a, torch.Tensor)
        else a == b
        for a, b in zip(leaves(model), leaves(graph), strict=True)
    )
