"""Which length a run has, where the network takes several."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from qsim.cli.build import Built
from qsim.cli.npy import read_npy
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.models import Model
    from qsim.network import Lengths


def at_length(built: Built, length: int | None, files: Sequence[Path]) -> Built:
    """Return a network at the length of a run: that of ``--length``, else that of its samples.

    Without either, as for a file and random samples, it is the greatest.

    Raises:
        UsageError: a length that the network does not take, or any where its shapes are fixed.
        InputError: files that cannot be read, or whose sequences are beyond the bounds.
    """
    lengths = built.lowered.lengths
    if lengths is None:
        if length is not None:
            raise UsageError(
                "the network's shapes are fixed",
                where="--length",
                accepted="no --length; a model with lengths is one of quantize(..., lengths=)",
            )
        return built
    if length is None:
        given = [read_npy(path).shape for path in files] or _shapes(built.model)
        several = given is not None and len(given) == len(built.lowered.inputs)
        length = lengths.of(given, built.lowered.inputs) if given and several else lengths.most
    lowered = built.lowered.at(length)
    lowered.model = built.lowered.model
    model = _model(built.model, lengths, length)
    span = (length, lengths.least, lengths.most)
    return Built(lowered, _quantized(built, length), model, span)


def _shapes(model: Model | None) -> list[tuple[int, ...]] | None:
    """Return the shapes of the samples that a run takes without others."""
    if model is None:
        return None
    if model.samples is not None:
        given: Any = model.samples[0]
    else:
        given = model.calibration[0] if model.calibration else model.example_inputs
    return [tuple(x.shape) for x in (given if isinstance(given, (tuple, list)) else (given,))]


def _quantized(built: Built, length: int) -> Any:
    """Return the Q/DQ graph of a length; None where it has none of its own."""
    from qsim.errors import ModelError

    if built.quantized is None:
        return None
    try:
        return built.quantized.at(length)
    except ModelError:
        if built.lowered.lengths is not None and length < built.lowered.lengths.regular:
            return None
        raise


def _model(model: Model | None, lengths: Lengths, length: int) -> Model | None:
    """Return a model with what it has of samples of a length, or its example cut or repeated."""
    if model is None:
        return None
    import torch

    def fits(inputs: Any) -> bool:
        given = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
        return all(given[index].shape[axis] == length for index, axis in lengths.axes)

    examples = list(model.example_inputs)
    for index, axis in lengths.axes:
        own = examples[index].shape[axis]
        examples[index] = examples[index].index_select(axis, torch.arange(length) % own)
    return dataclasses.replace(
        model,
        example_inputs=tuple(examples),
        calibration=[each for each in model.calibration or () if fits(each)] or None,
        samples=model.samples if model.samples and fits(model.samples[0]) else None,
    )
