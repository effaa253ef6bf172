"""From a torch module to an exported graph: the first arrow of the pipeline.

The module is exported in eval mode (its training flags are put back), without gradients, and with
dimension 0 of every input symbolic where the model allows that, so that one graph serves every
batch size. torch.export bakes in a dimension of size 1, so an example batch of one is doubled for
the export. A model that fixes its batch is exported with the shapes of the example.

Nothing is printed: what torch has to say about a model that it cannot export becomes one line.
"""

from __future__ import annotations

import contextlib
import io
import logging
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsim.errors import InputError, ModelError, UsageError
from qsim.graph.packed import PACKED, packs_sequences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from torch.export import ExportedProgram
    from typing_extensions import TypeIs

_NOISY = ("torch", "torchao", "torch._export", "torch.export", "torch.fx", "torch._dynamo")


def capture(
    model: torch.nn.Module | ExportedProgram,
    example_inputs: Sequence[torch.Tensor] | torch.Tensor,
) -> tuple[ExportedProgram, bool]:
    """Export a module as an ATen graph.

    Args:
        model: the float module; neither its weights nor its training flags are changed. A program
            that is exported already (a float ``.pt2``) is taken as it is.
        example_inputs: one tensor per argument of forward, with real shapes and dtypes.

    Returns:
        The exported program, and whether dimension 0 of every input is symbolic (any batch size).

    Raises:
        UsageError: model is not a module, or an example input is not a tensor.
        InputError: an example input is empty, NaN or infinite.
        ModelError: torch cannot export the model; says why and at which line of the user's code.
    """
    inputs = check_inputs(model, example_inputs)
    if not _is_module(model):
        return model, _is_batched(model)
    # torch prints the graph so far to stderr when it gives up.
    with quiet(), _evaluating(model), contextlib.redirect_stderr(io.StringIO()):
        if len({i.shape[0] for i in inputs if i.dim()}) == 1 and all(i.dim() for i in inputs):
            with contextlib.suppress(Exception):
                program = _export_batched(model, inputs)
                if program is not None:
                    return program, True
        return _export_static(model, inputs), False


def _is_module(model: object) -> TypeIs[torch.nn.Module]:
    import torch

    return isinstance(model, torch.nn.Module)


def check_inputs(
    model: torch.nn.Module | ExportedProgram,
    example_inputs: Sequence[torch.Tensor] | torch.Tensor,
) -> tuple[torch.Tensor, ...]:
    """Return the example inputs as a tuple of detached tensors.

    Raises:
        UsageError: model is not a module, or an example input is not a tensor.
        InputError: an example input is empty, NaN or infinite.
    """
    from torch.export import ExportedProgram

    if not _is_module(model) and not isinstance(model, ExportedProgram):
        raise UsageError(f"the model is a {type(model).__name__}", accepted="a torch.nn.Module")
    return batch_of(example_inputs, "example_inputs")


def batch_of(values: Sequence[torch.Tensor] | torch.Tensor, where: str) -> tuple[torch.Tensor, ...]:
    """Return one batch as a tuple of detached tensors on the CPU.

    Raises:
        UsageError: something in it is not a tensor.
        InputError: a tensor is empty, or holds NaN or infinity.
    """
    import torch

    if isinstance(values, torch.Tensor):
        values = (values,)
    if not isinstance(values, (tuple, list)) or not values:
        raise UsageError(
            f"is a {type(values).__name__}", where=where, accepted="a tuple of tensors, not empty"
        )
    for index, value in enumerate(values):
        place = f"{where}[{index}]"
        if not isinstance(value, torch.Tensor):
            raise UsageError(f"is a {type(value).__name__}", where=place, accepted="a torch.Tensor")
        if value.numel() == 0:
            raise InputError(f"has shape {tuple(value.shape)}", where=place, accepted="1 or more")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError("holds a NaN or an infinity", where=place, accepted="finite values")
    return tuple(value.detach().cpu() for value in values)


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


def _export_batched(
    model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]
) -> ExportedProgram | None:
    import torch

    wide = doubled(inputs)
    dynamic = batch_dims(model, inputs)
    program = torch.export.export(model, wide, dynamic_shapes=dynamic, strict=False)
    return program if _is_batched(program) and _same_results(model, program, inputs) else None


def doubled(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Return inputs whose batch is not 1, a size that torch.export takes for a constant."""
    import torch

    # Copies: Dim.AUTO leaves a mark on the tensors that it is given, and the next export of the
    # same tensors, a static one, would take their batch for a symbol.
    return tuple(torch.cat([i, i]) if i.shape[0] == 1 else i.clone() for i in inputs)


def batch_dims(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    """Return the dynamic_shapes of torch.export that leave dimension 0 of every input open."""
    import inspect

    import torch

    dims = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
    kinds = [p.kind for p in inspect.signature(model.forward).parameters.values()]
    return (dims,) if inspect.Parameter.VAR_POSITIONAL in kinds else dims


def _is_batched(program: ExportedProgram) -> bool:
    """Return whether dimension 0 is symbolic in every input, and is an input's in every output."""
    signature = program.graph_signature
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    # A dimension that torch has specialised is a plain int. Symbols are compared by their text:
    # `==` on them would guard on the answer.
    batches = [_batch(values[name]) for name in signature.user_inputs]
    outputs = [values.get(name) for name in signature.user_outputs]
    fixed = all(_is_fixed(d) for value in outputs for d in getattr(value, "shape", ())[1:])
    known = bool(batches) and None not in batches
    return known and fixed and {_batch(value) for value in outputs} <= set(batches)


def _is_fixed(size: Any) -> bool:
    """Return whether a size is a number, or one that a constant mask will tell (``u0``)."""
    return isinstance(size, int) or str(size).startswith("u")


def _batch(value: Any) -> str | None:
    shape = getattr(value, "shape", ())
    size = next(iter(shape), 0)
    return None if isinstance(size, int) else str(size)


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
    for batch in (inputs, one, tuple(torch.cat([i, i]) for i in inputs)):
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

    return all(torch.equal(a, b) for a, b in zip(expected, got, strict=True))


def _export_static(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> ExportedProgram:
    import torch

    try:
        return torch.export.export(model, inputs, strict=False)
    except Exception as error:
        raise ModelError(
            f"cannot be exported: {_reason(error)}",
            where=_user_line(error) or type(model).__name__,
            accepted="a model that torch.export can trace",
        ) from None


def _reason(error: BaseException) -> str:
    if packs_sequences(error):
        return PACKED
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else "no reason given"
    return f"{type(error).__name__}: {text[:200]}"


def _user_line(error: BaseException) -> str:
    """Return ``file.py:12`` of the innermost frame that is neither torch's nor ours, or nothing."""
    import torch

    ours = (str(Path(torch.__file__).parent), str(Path(__file__).parent.parent))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(("<", *ours)) and "site-packages" not in frame.filename:
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return ""
