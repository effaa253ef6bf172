"""One model for every length of its sequences: graphs of single lengths, observed together.

The graph of each length is captured, prepared and converted as any other; only the observers are
those of the longest one, by the names of nodes, so that scales are those of all data. Of a model
that holds codes already, the graph of each length is taken as it is. A module is exported once with
a symbolic length, so that every length has the same operators.
"""

from __future__ import annotations

import contextlib
import dataclasses
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from qsim.errors import ModelError, UsageError
from qsim.quantizer.stages import (
    Prepared,
    calibrate,
    convertible,
    finish,
    prepare,
    quantized_of,
)
from qsim.torch_threads import one_torch_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import torch

    from qsim.graph import Arguments, Batch, Captured
    from qsim.quantizer.config import QuantizeConfig
    from qsim.quantizer.double import Double
    from qsim.quantizer.lengths.bounds import Bounds
    from qsim.quantizer.quantized import Quantized
    from qsim.quantizer.skeleton import Skeleton
    from qsim.target import Target


_KEPT: Final = 8


class Family(ABC):
    """A model quantized for every length of its sequences.

    Attributes:
        bounds: the lengths, and the dimensions that have them.
    """

    def __init__(
        self, bounds: Bounds, source: torch.nn.Module, arguments: Arguments, target: Target
    ) -> None:
        """Take a model that ``with_lengths`` returned."""
        self.bounds = bounds
        self._source, self._arguments, self._target = source, arguments, target
        self._made: dict[int, Quantized] = {}
        self._batch: bool | None = None

    @abstractmethod
    def _make(self, length: int) -> Quantized:
        """Return the network of one length."""

    def at(self, length: int) -> Quantized:
        """Return the network of one length; errors as ``Quantized.at``."""
        from qsim.graph import quiet

        bounds = self.bounds
        if type(length) is not int or not bounds.least <= length <= bounds.most:
            raise UsageError(f"length is {length!r:.40}", where="length", accepted=str(bounds))
        if length not in self._made:
            with quiet(), one_torch_thread():
                made = self._make(length)
            # All are made anew from the same source: a few are kept, as they hold all weights.
            others = [each for each in self._made if each != bounds.most]
            for other in others[: max(0, len(others) + 1 - _KEPT)]:
                del self._made[other]
            self._made[length] = made
        return self._made[length]

    def examples(self, length: int) -> tuple[torch.Tensor, ...]:
        """Return the example inputs at a length."""
        return self.bounds.resized(self._arguments.tensors, length)

    def float_results(self, length: int) -> list[torch.Tensor]:
        """Return what the model makes of the example inputs at a length, in float."""
        import torch
        from torch.utils import _pytree

        from qsim.graph import unwritten

        with torch.no_grad(), unwritten(self._source):
            made = _pytree.tree_leaves(self._source(*self.examples(length)))
        return [each for each in made if each is not None]

    def length_of(self, inputs: Sequence[torch.Tensor]) -> int:
        """Return the length of inputs; errors as ``Bounds.of``."""
        return self.bounds.of(inputs, "inputs")

    def _capture(self, length: int) -> Captured:
        from qsim.graph import capture

        captured = capture(self._source, self.examples(length))
        if self._batch is None:
            self._batch = captured.batch
        if captured.batch != self._batch:
            raise ModelError(
                f"the batch is fixed at some lengths, as {length}: {captured.fixed}",
                where="lengths",
                accepted="a model that fixes its batch at every length or at none",
            )
        return captured


class Calibrated(Family):
    """A float model: one set of observers for all lengths."""

    def __init__(
        self,
        bounds: Bounds,
        source: torch.nn.Module,
        arguments: Arguments,
        target: Target,
        config: QuantizeConfig,
    ) -> None:
        super().__init__(bounds, source, arguments, target)
        self._config = config
        self._captured: dict[int, Captured] = {}
        self._prepared: dict[int, Prepared] = {}
        self._doubles: dict[int, Double] = {}
        self._first = self._prepare(bounds.most, None)

    def quantized(
        self, calibration: Iterable[Batch] | None, progress: Callable[[int], None] | None
    ) -> Quantized:
        """Show all lengths their data; return the network of the greatest, which knows the others.

        Raises:
            UsageError, ModelError, InputError: as ``qsim.quantize``.
        """
        _observe_weights(self._first)
        data = calibration if self._first.quantizer.calibrates else None
        calibrate(self._double, self._arguments, data, progress, self._first.states)
        self._doubles.clear()
        most = self.bounds.most
        graphs = finish(self._first)
        captured, examples = self._captured[most], self.examples(most)
        self._made[most] = quantized_of(self._first, captured, graphs, examples)
        return dataclasses.replace(self._made[most], lengths=self)

    def _make(self, length: int) -> Quantized:
        prepared = self._prepare(length, self._first)
        graphs = finish(prepared)
        captured = self._captured.pop(length)
        del self._prepared[length]
        return quantized_of(prepared, captured, graphs, self.examples(length))

    def _prepare(self, length: int, first: Prepared | None) -> Prepared:
        if length not in self._prepared:
            captured = self._captured[length] = self._capture(length)
            with _told(length):
                prepared = prepare(captured.program, self._target, self._config, first)
            self._prepared[length] = prepared
        return self._prepared[length]

    def _double(self, batch: Sequence[torch.Tensor]) -> tuple[Double, Sequence[torch.Tensor]]:
        from qsim.quantizer.double import Double

        length = self.bounds.of(batch, "calibration")
        if length not in self._doubles:
            try:
                prepared = self._prepare(length, self._first)
            except ModelError as error:
                error.where = f"calibration: {error.where}" if error.where else "calibration"
                raise
            with convertible():
                self._doubles[length] = Double(prepared.graph)
        return self._doubles[length], self.examples(length)


class Taken(Family):
    """A model that holds codes already: every length has the same."""

    def __init__(
        self,
        bounds: Bounds,
        source: torch.nn.Module,
        arguments: Arguments,
        target: Target,
        *,
        per_token: bool,
    ) -> None:
        super().__init__(bounds, source, arguments, target)
        self._per_token = per_token
        self._skeleton: Skeleton | None = None

    def quantized(self) -> Quantized:
        """Return the network of the greatest length, which knows the others.

        Raises:
            ModelError: as ``qsim.quantize``.
        """
        return dataclasses.replace(self.at(self.bounds.most), lengths=self)

    def _make(self, length: int) -> Quantized:
        from qsim.quantizer.prequantized import take

        captured, first = self._capture(length), self._skeleton
        with _told(length):
            made, skeleton = take(
                captured,
                self.examples(length),
                self._target,
                per_token=self._per_token,
                first=first,
            )
        self._skeleton = first or skeleton
        return made


@contextlib.contextmanager
def _told(length: int) -> Iterator[None]:
    """Say at which length a model is refused."""
    try:
        yield
    except ModelError as error:
        error.message = f"at length {length}: {error.message}"
        raise


def _observe_weights(prepared: Prepared) -> None:
    """Show weights to their observers, which take the first: those of the longest sequence."""
    from qsim.graph import nodes
    from qsim.quantizer.observers import WeightObserver

    graph = prepared.graph
    for node in graph.graph.nodes:
        if node.op == "call_module" and node.args[0].op == "get_attr":
            observer = graph.get_submodule(node.target)
            if isinstance(observer, WeightObserver):
                observer(nodes.attribute(graph, node.args[0]))
