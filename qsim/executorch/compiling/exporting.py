"""A quantized network as an exported program, for ``to_edge_transform_and_lower``."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import GraphModule

from qsim.errors import ModelError, UsageError
from qsim.executorch.compiling.quantize_io import quantize_io
from qsim.executorch.compiling.view import MARK
from qsim.graph import quiet

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from qsim.executorch.io_params import Codes
    from qsim.quantizer import Quantized


def export(
    quantized: Quantized,
    *,
    batch: int | None = None,
    max_batch: int | None = None,
    quantized_io: bool = False,
) -> ExportedProgram:
    """Export a quantized network, with what the quantizer knows about operators left in float.

    Args:
        quantized: the result of ``qsim.quantize``.
        batch: the batch size, fixed; None for that of the example inputs.
        max_batch: leaves the batch open, from 1 up to this; the plan of a ``.pte`` needs the bound.
        quantized_io: inputs and outputs are codes: quantize and dequantize are the caller's.
            ``qsim.executorch.qparams`` returns what the codes stand for.

    Raises:
        UsageError: both sizes, a size below 1, or a size for a network that fixes its batch.
        ModelError: a state that does not begin with zeros; with ``quantized_io``, an input that
            nothing quantizes, or an output that is computed in float.
    """
    if quantized.lengths is not None:
        raise UsageError(
            f"its sequences have {quantized.lengths.bounds} elements, and a graph has one length",
            where="export",
            accepted="to_edge(quantized), or one length: quantized.at(LENGTH)",
        )
    check_sizes(quantized, batch, max_batch)
    examples = quantized.example_inputs
    dynamic = None
    if max_batch is not None and max_batch > 1:
        # An example of one sample would fix the batch at 1.
        examples = tuple(rebatched(value, 2) for value in examples)
        dynamic = _open_batch(len(examples), max_batch)
    elif batch or max_batch:
        examples = tuple(rebatched(value, batch or 1) for value in examples)
    with quiet(), torch.no_grad():
        graph = _marked(quantized)
        if quantized_io:
            parameters = quantize_io(graph, quantized.why)
            examples = tuple(map(_coded, examples, parameters))
        return torch.export.export(graph, examples, dynamic_shapes=dynamic, strict=False)


def check_sizes(quantized: Quantized, batch: int | None, max_batch: int | None) -> None:
    """Require sizes that the network takes, and states that begin as ExecuTorch begins them.

    Raises:
        UsageError, ModelError: as ``export``.
    """
    sizes = [size for size in (batch, max_batch) if size is not None]
    if len(sizes) > 1 or any(size < 1 for size in sizes):
        raise UsageError(
            f"batch is {batch}, max_batch {max_batch}", where="export", accepted="one of them, >= 1"
        )
    if sizes and not quantized.batch:
        raise UsageError(
            "the network fixes its batch", where="export", accepted="neither batch nor max_batch"
        )
    for state in quantized.states:
        if bool(state.initial.any()):
            raise ModelError(
                "ExecuTorch begins with zeros in every buffer that a model writes into",
                where=f"buffer {state.name!r}",
                accepted="a state that begins with zeros",
            )


def _coded(value: torch.Tensor, codes: Codes | None) -> torch.Tensor:
    if codes is None:
        return value
    quantize: Any = torch.ops.quantized_decomposed.quantize_per_tensor.default
    coded: torch.Tensor = quantize(value, *codes)
    return coded


def rebatched(value: torch.Tensor, size: int) -> torch.Tensor:
    """Return the first sample of a batch as often as asked for."""
    return value[:1].repeat(size, *[1] * (value.dim() - 1))


def _open_batch(inputs: int, limit: int) -> Any:
    size = torch.export.Dim("batch", min=1, max=limit)
    return tuple({0: size} for _ in range(inputs))


def _marked(quantized: Quantized) -> GraphModule:
    """Return the Q/DQ graph with the quantizer's reasons at the operators that it left in float."""
    marked = GraphModule(quantized.graph, copy.deepcopy(quantized.graph.graph))
    for node in marked.graph.nodes:
        reason = quantized.why.get(node.name)
        if reason is not None:
            node.meta["custom"] = {
                **(node.meta.get("custom") or {}),
                MARK: dataclasses.asdict(reason),
            }
    return quantized.with_buffers(marked)
