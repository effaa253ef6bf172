"""From a torch module to an exported graph: the first arrow of the pipeline.

The module is exported in eval mode (its training flags are put back), without gradients, and with
dimension 0 of every input symbolic where the model allows that, so that one graph serves every
batch size (`qsim.graph.batching`). A model that fixes its batch is exported with the shapes of the
example, and it is said what fixes it.

Nothing is printed: what torch has to say about a model that it cannot export becomes one line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import warnings
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qsim.collecting import no_collection
from qsim.errors import ModelError, UsageError
from qsim.graph.arguments import Arguments, arguments_of
from qsim.graph.attention import batch_in_front
from qsim.graph.batching import export_batched, is_batched
from qsim.graph.buffers import written_constants
from qsim.graph.packed import PACKED, packs_sequences
from qsim.graph.places import place_of_error, source_of_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch.export import ExportedProgram
    from typing_extensions import TypeIs

    from qsim.graph.arguments import Batch

_NOISY = ("torch", "torchao", "torch._export", "torch.export", "torch.fx", "torch._dynamo")
_UNKNOWN: Final = "not a known type"  # how torch says that it cannot look into an output


class Captured(NamedTuple):
    """An exported model.

    Attributes:
        program: its ATen graph.
        batch: dimension 0 of every input is symbolic: any batch size.
        fixed: where it is not, what fixes the batch, in words.
    """

    program: ExportedProgram
    batch: bool
    fixed: str = ""


def capture(
    model: torch.nn.Module | ExportedProgram, example_inputs: Batch | Arguments
) -> Captured:
    """Export a module as an ATen graph.

    Args:
        model: the float module; neither its weights nor its training flags are changed. A program
            that is exported already (a float ``.pt2``) is taken as it is.
        example_inputs: what forward is called with, see ``qsim.graph.arguments``.

    Raises:
        UsageError: model is not a module, or an example input is not a tensor.
        InputError: an example input is empty, NaN or infinite.
        ModelError: torch cannot export the model; says why and at which line of the user's code.
    """
    if isinstance(example_inputs, Arguments):
        arguments = example_inputs
    else:
        arguments = check_inputs(model, example_inputs)
    if not _is_module(model):
        free = is_batched(model)
        return Captured(model, free, "" if free else "it was exported with a fixed batch")
    with exporting(model):
        stands = arguments.positional(model)
        try:
            return _export(stands, arguments.tensors)
        except ModelError as error:
            if _UNKNOWN not in error.message:
                raise
        _register_outputs(stands, arguments.tensors)
        return _export(stands, arguments.tensors)


@contextlib.contextmanager
def exporting(model: torch.nn.Module) -> Iterator[None]:
    """Have a module as it is exported: in eval mode, and torch silent."""
    # torch prints the graph so far to stderr when it gives up.
    silent = contextlib.redirect_stderr(io.StringIO())
    with (
        quiet(),
        _evaluating(model),
        batch_in_front(model),
        _along_dim(),
        silent,
        no_collection(),
    ):
        yield


def _along_dim() -> contextlib.AbstractContextManager[object]:
    from qsim.graph.along_dim import AlongDim

    return AlongDim()


def _is_module(model: object) -> TypeIs[torch.nn.Module]:
    import torch

    return isinstance(model, torch.nn.Module)


def check_inputs(model: torch.nn.Module | ExportedProgram, example_inputs: Batch) -> Arguments:
    """Return what a model is called with.

    Raises:
        UsageError: model is not a module, or an example input is not a tensor.
        InputError: an example input is empty, NaN or infinite.
    """
    from torch.export import ExportedProgram

    if not _is_module(model) and not isinstance(model, ExportedProgram):
        raise UsageError(f"the model is a {type(model).__name__}", accepted="a torch.nn.Module")
    return arguments_of(model, example_inputs)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's logs and warnings to itself; errors still come as exceptions."""
    loggers = [logging.getLogger(name) for name in (*_NOISY, *_loud_loggers())]
    levels = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)


def _loud_loggers() -> list[str]:
    """Return the loggers with a level of their own; the hundreds of others inherit theirs."""
    known = logging.Logger.manager.loggerDict
    return [
        name
        for name, logger in known.items()
        if name.split(".")[0] in ("torch", "torchao")
        and isinstance(logger, logging.Logger)
        and logger.level != logging.NOTSET
    ]


@contextlib.contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    import torch

    flags = [(module, module.training) for module in model.modules()]
    try:
        with contextlib.suppress(NotImplementedError):  # exported modules have only one mode
            model.eval()
        # Under no_grad a no_grad block inside forward leaves no subgraph behind.
        with torch.no_grad():
            yield
    finally:
        for module, training in flags:
            module.training = training


def _export(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Captured:
    program, fixed = export_batched(model, inputs)
    if program is not None:
        return Captured(program, batch=True)
    return Captured(_export_static(model, inputs), batch=False, fixed=fixed)


def _export_static(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> ExportedProgram:
    import torch

    try:
        found = torch.export.export(model, inputs, strict=False)
        known = not written_constants(found)
        return found if known else torch.export.export(model, inputs, strict=True)
    except Exception as error:
        where = place_of_error(error, model) or type(model).__name__
        if "data-dependent" in str(error):
            raise ModelError(
                f"its control flow or a shape depends on data, in `{source_of_error(error)}` "
                f"({_reason(error)})",
                where=where,
                accepted="torch.where, or a choice by shapes and settings alone",
            ) from None
        raise ModelError(
            f"cannot be exported: {_reason(error)}",
            where=where,
            accepted="a model that torch.export can trace",
        ) from None


def _reason(error: BaseException) -> str:
    if packs_sequences(error):
        return PACKED
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else "no reason given"
    return f"{type(error).__name__}: {text[:200]}"


def _register_outputs(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    """Tell torch of the dataclasses that a model returns; it looks into known types alone.

    Raises:
        ModelError: something else that torch cannot look into is among the outputs.
    """
    import torch
    from torch.utils import _pytree

    def visit(value: Any, path: str) -> None:
        if isinstance(value, torch.Tensor) or value is None:
            return
        if dataclasses.is_dataclass(value) and type(value) not in _pytree.SUPPORTED_NODES:
            torch.export.register_dataclass(type(value))
        children, _ = _pytree.tree_flatten_with_path(value, is_leaf=lambda each: each is not value)
        if len(children) == 1 and children[0][1] is value:
            if isinstance(value, (bool, int, float, str)):
                return
            raise ModelError(
                f"it returns a {type(value).__name__}{path and f' as {path}'}, in which torch "
                "cannot look for tensors",
                where=type(model).__name__,
                accepted="tensors and None in tuples, lists, dicts and dataclasses; of a model of "
                "transformers: use_cache=False",
            )
        for at, child in children:
            visit(child, f"{path}{_pytree.keystr(at)}")

    visit(model(*(each.clone() for each in inputs)), "")
