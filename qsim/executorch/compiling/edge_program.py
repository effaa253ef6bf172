"""A quantized network as an edge program with delegates, and as a ``.pte``: one call each."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executorch.exir import to_edge_transform_and_lower

from qsim.atomic import write_bytes
from qsim.errors import ModelError, QsimError
from qsim.executorch import adapter
from qsim.executorch.compiling.exporting import export
from qsim.executorch.compiling.free_lengths import edge_of_lengths
from qsim.executorch.compiling.partitioner import QsimPartitioner
from qsim.executorch.edge import run_edge
from qsim.executorch.io_params import constant_methods, qparams
from qsim.graph import quiet

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from torch.export import ExportedProgram

    from qsim.executorch.compiling.report import Report
    from qsim.quantizer import Quantized
    from qsim.target import Target


@dataclass(frozen=True, slots=True, eq=False)
class EdgeProgram:
    """A network whose delegates run on the hardware models. Call it like the model.

    Attributes:
        manager: ExecuTorch's ``EdgeProgramManager``.
        report: what was delegated, what was not and why.
        target: the datapath of the delegates.
    """

    manager: Any
    report: Report
    target: Target

    def __call__(self, *inputs: Any) -> Any:
        """Run it in Python, see ``qsim.executorch.run_edge``."""
        return run_edge(self.manager, *inputs)

    def to_pte(self) -> bytes:
        """Return the ``.pte``, with ExecuTorch's memory plan; the manager stays as it is.

        Raises:
            ModelError: an operator outside delegates that no kernel of ExecuTorch computes.
        """
        # Its quantized operators outside delegates have an out variant in this library alone.
        adapter.load_quantized_kernels()
        with _named_errors(), quiet():
            return bytes(self.manager.to_executorch().buffer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ``.pte``; the file appears whole or not at all.

        Raises:
            ModelError: as ``to_pte``.
            UsageError: the path cannot be written.
        """
        write_bytes(path, self.to_pte())


def to_edge(
    quantized: Quantized,
    *,
    batch: int | None = None,
    max_batch: int | None = None,
    whole: bool = False,
    quantized_io: bool = False,
) -> EdgeProgram:
    """Return a quantized network in the edge dialect, delegated to the target it is quantized for.

    Args:
        quantized: the result of ``qsim.quantize``.
        batch: the batch size, fixed; None for that of the example inputs.
        max_batch: leaves the batch open, from 1 up to this.
        whole: one delegate for the whole network, or an error that names what does not fit.
        quantized_io: inputs and outputs are codes; what they stand for is kept in the ``.pte``,
            see ``qsim.executorch.qparams``.

    Raises:
        UsageError: both sizes, a size below 1, or a size for a network that fixes its batch.
        ModelError: ``whole`` and something does not fit; ``quantized_io`` and an input that nothing
            quantizes, or an output that is computed in float; an operator that ExecuTorch refuses,
            or that fixes the batch in spite of ``max_batch``.
    """
    if quantized.lengths is not None:
        with _named_errors(), quiet():
            return EdgeProgram(
                *edge_of_lengths(quantized, batch, max_batch, quantized_io), quantized.target
            )
    partitioner = QsimPartitioner(quantized.target, whole=whole)
    program = export(quantized, batch=batch, max_batch=max_batch, quantized_io=quantized_io)
    # Without quantized_io an output may be integers all the same, but then of no code.
    parameters = qparams(program) if quantized_io else {}
    with _named_errors(), quiet():
        manager = to_edge_transform_and_lower(
            program,
            partitioner=[partitioner],
            constant_methods=constant_methods(parameters) or None,
        )
    if max_batch is not None and max_batch > 1:
        _check_open(manager.exported_program())
    return EdgeProgram(manager, partitioner.report, quantized.target)


@contextmanager
def _named_errors() -> Iterator[None]:
    """Say in one line what ExecuTorch's own passes refuse."""
    try:
        yield
    except QsimError:
        raise
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [""]
        raise ModelError(
            f"ExecuTorch refuses it: {type(error).__name__}: {lines[0].strip()[:200]}",
            accepted="a network whose operators outside delegates ExecuTorch has",
        ) from error


def _check_open(program: ExportedProgram) -> None:
    """Refuse a batch that ExecuTorch closed when it took operators apart, as it does ``chunk``."""
    inputs = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        # A symbol that was given a value is one still, and reads like it.
        if node.name in inputs and str(node.meta["val"].shape[0]).isdigit():
            raise ModelError(
                f"an operator outside delegates fixes the batch to {node.meta['val'].shape[0]}",
                where=f"input {node.name!r}",
                accepted="batch, not max_batch",
            )
