"""A Trace: every tensor that one run made, with its overflow ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from matplotlib.figure import Figure

    from hw_models import Ledger
    from qsim.program import Array, TensorSpec


@dataclass(frozen=True, slots=True)
class Entry:
    """One primitive call of a run.

    Attributes:
        call: its name, unique in its program.
        layer: the module path in the model.
        primitive: what it computed.
        shape: of its output, batch included.
        macs: multiply-accumulates of *one* sample; times ``Trace.batch`` for the run.
        ledger: what happened in its accumulator or at its output range.
        tensor: the name of its output in ``Trace.tensors``.
        spec: format, scale and zero point of its output.
        operands: what it read, in the primitive's order: names in ``Trace.tensors``, or of
            constants of its program.
    """

    call: str
    layer: str
    primitive: str
    shape: tuple[int, ...]
    macs: int
    ledger: Ledger
    tensor: str
    spec: TensorSpec
    operands: tuple[str, ...]


@dataclass
class Trace:
    """What one run of a network computed.

    Attributes:
        tensors: every tensor by name, contiguous (N, C, *spatial). A name that two programs use
            for different tensors is prefixed with the second one's; a value of the host graph
            whose name a program uses too is there as ``<name>.value``.
        ledger: one entry per primitive call, in the order of execution.
        outputs: what the network returns, as arrays, in order.
        batch: samples in the run; 1 for a network without a batch dimension.
    """

    tensors: dict[str, Array]
    ledger: tuple[Entry, ...]
    outputs: tuple[Array, ...]
    batch: int = 1
    specs: Mapping[str, TensorSpec] = field(default_factory=dict, repr=False)

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Draw one panel per layer: its output codes against the format that holds them.

        Codes at the edges of the format are marked; a strip below each histogram shows how much
        of the accumulator's width the layer used.

        Args:
            path: where to save the picture too; its suffix names the kind (.png, .svg, .pdf).

        Raises:
            UsageError: the path cannot be written, or there is no such kind of picture.
        """
        from qsim.network.plot import plot_trace

        return plot_trace(self, path)

    def __getitem__(self, name: str) -> Any:
        """Return the tensor of that name."""
        return self.tensors[name]
