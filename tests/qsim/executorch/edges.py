"""Networks quantized, lowered and taken to the edge dialect, each once for all tests."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qsim import Lowered, Quantized, Target, lower, quantize
from qsim.executorch import QsimPartitioner, export, load
from qsim.graph.capturing import quiet
from qsim.models import registry
from tests.qsim.lowering.models import build, examples


@cache
def network(name: str, target: str) -> tuple[Quantized, Lowered]:
    """Return a small network of the lowering's tests, quantized and lowered."""
    return quantized(build(name), examples(name), target)


def quantized(
    module: nn.Module, inputs: tuple[Tensor, ...], target: str, **config: Any
) -> tuple[Quantized, Lowered]:
    found = quantize(module, inputs, Target.load(target), config=config or None)
    return found, lower(found)


@cache
def builtin(name: str, target: str) -> tuple[Quantized, Lowered]:
    """Return a built-in model, quantized and lowered."""
    (entry,) = (entry for entry in registry.builtin() if entry.name == name)
    module, function = entry.factory.split(":")
    model = getattr(importlib.import_module(module), function)()
    return quantized(model.module, model.example_inputs, target)


def to_edge(program: Any, *partitioners: Any, **options: Any) -> Any:
    """Return the edge program manager of an exported program; ExecuTorch's warnings are its own."""
    from executorch.exir import to_edge_transform_and_lower

    with quiet():
        return to_edge_transform_and_lower(program, partitioner=list(partitioners), **options)


def lowered_edge(
    source: Quantized, *, max_batch: int | None = None, **options: Any
) -> tuple[Any, QsimPartitioner]:
    """Return a network's edge program, with its partitioner."""
    partitioner = QsimPartitioner(source.target, **options)
    return to_edge(export(source, max_batch=max_batch), partitioner), partitioner


def write_pte(manager: Any, folder: Path) -> Any:
    """Return the ``.pte`` of an edge program, written and loaded."""
    import executorch.kernels.quantized  # noqa: F401 - its operators, before memory is planned

    with quiet():
        data = manager.to_executorch().buffer
    path = folder / "net.pte"
    path.write_bytes(data)
    return load(path)


def batches(source: Quantized, size: int) -> tuple[Tensor, ...]:
    """Return random inputs of a batch size, spread as the examples are."""
    generator = torch.Generator().manual_seed(size)
    return tuple(
        torch.randn(size, *value.shape[1:], generator=generator) * value.std() + value.mean()
        for value in source.example_inputs
    )


def leaves(value: Any) -> list[Tensor]:
    from torch.utils import _pytree

    return list(_pytree.tree_leaves(value))


def same(found: Any, wanted: Any) -> bool:
    """Return whether two nested results are equal, bit for bit, nesting and dtypes included."""
    from torch.utils import _pytree

    pairs = zip(leaves(found), leaves(wanted), strict=True)
    return _pytree.tree_structure(found) == _pytree.tree_structure(wanted) and all(
        a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs
    )


def operators(manager: Any) -> list[str]:
    """Return the names of what an edge program calls, delegates and their results left out."""
    from qsim.executorch import adapter

    nodes = manager.exported_program().graph.nodes
    names = [str(adapter.plain_operator(n.target)) for n in nodes if n.op == "call_function"]
    return [name for name in names if "call_delegate" not in name and "getitem" not in name]
