"""Exports with dimension 0 symbolic, where the model allows it; and what does not allow it.

torch.export bakes in a dimension of size 1, so an example batch of one is doubled for the export.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from qsim.graph.places import place_of_error, place_of_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch.export import ExportedProgram

# Where torch says that it has taken a symbol for a number, while the line runs that made it do so.
_LOGGER: Final = "torch.fx.experimental.symbolic_shapes"
_TAKEN: Final = re.compile(r"set_replacement \S+ = -?\d+ ")


def export_batched(
    model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]
) -> tuple[ExportedProgram | None, str]:
    """Return the program for any batch size, or None and what fixes the batch, in words."""
    import torch

    from qsim.graph.fake_shapes import known_shapes

    if not all(each.dim() for each in inputs):
        return None, "an input has no dimension"
    if len({each.shape[0] for each in inputs}) > 1:
        return None, "its inputs have no batch in common"
    with _taken(model) as taken:
        try:
            dynamic = batch_dims(model, inputs)
            with known_shapes():
                program = torch.export.export(
                    model, doubled(inputs), dynamic_shapes=dynamic, strict=False
                )
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            return None, _at(place_of_error(error, model), lines[0][:200])
    why = _why_fixed(program, taken) or _why_kept(program)
    if why:
        return None, why
    try:
        why = _why_mixed(program, inputs)
        if why:
            return None, why
        same = _same_results(model, program, inputs)
    except Exception as error:
        return None, _at(place_of_error(error, model), (str(error).splitlines() or [""])[0][:200])
    return (program, "") if same else (None, "for one sample it computes something else")


def doubled(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Return inputs whose batch is not 1, a size that torch.export takes for a constant."""
    import torch

    # Copies: Dim.AUTO leaves a mark on the tensors that it is given, and the next export of the
    # same tensors, a static one, would take their batch for a symbol.
    return tuple(torch.cat([i, i]) if i.shape[0] == 1 else i.clone() for i in inputs)


def batch_dims(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    """Return the dynamic_shapes of torch.export that leave dimension 0 of every input open."""
    import torch

    dims = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
    kinds = [p.kind for p in inspect.signature(model.forward).parameters.values()]
    return (dims,) if inspect.Parameter.VAR_POSITIONAL in kinds else dims


@contextlib.contextmanager
def _taken(model: torch.nn.Module) -> Iterator[list[tuple[str, str]]]:
    """Give the places, with the text of their lines, at which an export takes a size for fixed."""
    found: list[tuple[str, str]] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if _TAKEN.match(record.getMessage()):
                found.append(place_of_stack(sys._getframe(), model))  # noqa: SLF001

    logger, watch = logging.getLogger(_LOGGER), Watch()
    level, propagate, handlers = logger.level, logger.propagate, logger.handlers
    logger.handlers, logger.propagate = [watch], False
    logger.setLevel(logging.INFO)
    try:
        yield found
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def _why_kept(program: ExportedProgram) -> str:
    """Return which buffer is written to: what one batch leaves there is no other's."""
    from qsim.graph.buffers import written_buffers, written_constants

    found = (*written_buffers(program), *written_constants(program))
    return f"its buffer {found[0]!r} keeps its size from step to step" if found else ""


def _at(place: str, text: str) -> str:
    return f"at {place}: {text}" if place else text


def is_batched(program: ExportedProgram) -> bool:
    """Return whether dimension 0 is symbolic in every input, and counts samples in every output."""
    examples = program.example_inputs
    if _why_fixed(program, []):
        return False
    return examples is None or not _why_mixed(program, examples[0])


def _why_fixed(program: ExportedProgram, taken: list[tuple[str, str]]) -> str:
    """Return what is not as it must be for any batch size, or nothing."""
    signature = program.graph_signature
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    # A dimension that torch has specialised is a plain int. Symbols are compared by their text:
    # `==` on them would guard on the answer.
    found = [_batch(values[name]) for name in signature.user_inputs if name in values]
    batches = {each for each in found if each is not None}
    place, text = taken[0] if taken else ("", "")
    by = _at(place, f"`{text}` takes its size for a fixed one") if text else ""
    if not found or None in found:
        return by or "by its shapes"
    for index, name in enumerate(signature.user_outputs):
        shape = getattr(values.get(name), "shape", None)
        if shape is None:
            continue
        if not shape or not rows_of(shape[0], batches):
            return by or f"output {index} of shape {_shown(shape)} has no batch in dimension 0"
        if not all(map(_is_fixed, shape[1:])):
            return f"output {index} of shape {_shown(shape)} has the batch in another dimension too"
    return ""


def _why_mixed(program: ExportedProgram, inputs: tuple[torch.Tensor, ...]) -> str:
    """Return which result has rows of several samples where one sample's must be, or nothing.

    Dimension 0 of a result may have several rows of each sample, but no other sample's between.
    """
    import torch

    signature = program.graph_signature
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    batches = {str(_batch(values[name])) for name in signature.user_inputs if name in values}
    shapes = [getattr(values.get(name), "shape", ()) for name in signature.user_outputs]
    folded = [
        index for index, shape in enumerate(shapes) if shape and rows_of(shape[0], batches) != 1
    ]
    if not folded:
        return ""
    graph, batch = program.module(check_guards=False), doubled(inputs)
    together = _leaves(graph, batch)
    alone = [_leaves(graph, tuple(i[n : n + 1] for i in batch)) for n in range(len(batch[0]))]
    for index in folded:
        rows = torch.cat([each[index] for each in alone])
        if not torch.allclose(rows, together[index], rtol=1e-3, atol=1e-4):
            return (
                f"output {index} of shape {_shown(shapes[index])} has other samples' rows between "
                "those of one"
            )
    return ""


def _is_fixed(size: Any) -> bool:
    """Return whether a size is a number, or one that a constant mask will tell (``u0``)."""
    return isinstance(size, int) or str(size).startswith("u")


def _shown(shape: Any) -> str:
    return f"({', '.join(str(size) if isinstance(size, int) else 'N' for size in shape)})"


def _batch(value: Any) -> str | None:
    shape = getattr(value, "shape", ())
    size = next(iter(shape), 0)
    return None if isinstance(size, int) else str(size)


def rows_of(size: Any, batches: set[str]) -> int | None:
    """Return how many batches a size is: 4 of ``4*s0``; None where it is no whole number of them.

    Args:
        size: a number or a symbol's expression, as export recorded it; 0 is no batch.
        batches: the symbols that count samples.
    """
    if isinstance(size, int):
        return None if size else 0
    expression = size.node.expr
    symbols = expression.free_symbols
    if not symbols or not {str(each) for each in symbols} <= batches:
        return None
    # All inputs have one batch. Torch leaves (s0 + s1 + 1)//2 as it is: values tell what it is.
    values = {n: int(expression.subs(dict.fromkeys(symbols, n))) for n in (7, 10, 11, 16)}
    count = values[7] // 7
    return count if count and all(value == count * n for n, value in values.items()) else None


def _same_results(
    model: torch.nn.Module, program: ExportedProgram, inputs: tuple[torch.Tensor, ...]
) -> bool:
    """Return whether the graph equals the model for the example, for one sample and for more.

    A model that asks whether its batch is 1 exports as what it is for larger ones. Where a module
    has a faster kernel outside of export (torch's attention has), the model's own export for that
    batch alone decides.
    """
    import torch

    graph = program.module(check_guards=False)
    one = tuple(i[:1] for i in inputs)
    tried = {each[0].shape[0]: each for each in (one, inputs)}  # the example may be one sample
    for batch in (*tried.values(), tuple(torch.cat([i, i]) for i in inputs)):
        got = _leaves(graph, batch)
        if _equal(_leaves(model, batch), got):
            continue
        alone = torch.export.export(model, tuple(i.clone() for i in batch), strict=False)
        if not _equal(_leaves(alone.module(check_guards=False), batch), got):
            return False
    return True


def _leaves(model: torch.nn.Module, batch: tuple[torch.Tensor, ...]) -> list[Any]:
    from torch.utils import _pytree

    return _pytree.tree_leaves(model(*(i.clone() for i in batch)))


def _equal(expected: list[Any], got: list[Any]) -> bool:
    import torch

    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(expected, got, strict=True)
    )
