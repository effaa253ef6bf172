"""AdaRound, BRECQ and QDrop: weights are rounded so that each part computes what it did in float.

* ``adaround`` (Nagel et al. 2020, arXiv:2004.10568): layer by layer, the squared error of the
  result behind the relu, with the inputs of the quantized network (its asymmetric reconstruction,
  equation 25). Activations have the scales that calibration gave.
* ``brecq`` (Li et al. 2021, arXiv:2102.05426): block by block, elements weighted by the Fisher
  information (equation 10). Scales of activations are learned as well, as LSQ's.
* ``qdrop`` (Wei et al. 2022, arXiv:2203.05740): as brecq without these weights, but elements of
  activations stay in float at random, at a block's input those of the float network (equation 5).

All learn the rounding of ``algorithms.rounded``; the exponent of the driving term falls from 20 to
2 after the warm-up. The samples are those of the calibration, in batches that are drawn once; each
step takes one of them.

The papers take 10000 steps and more and weigh the driving term with 0.01. Here a part has 1000 by
default, with a rate and a weight of the term that decide every rounding in them: what is undecided
at the end is rounded all the same, and no step has seen what that does to the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.quantizer.learning.algorithms import Rounded
from qsim.quantizer.learning.fakes import FakeActivation
from qsim.quantizer.learning.reconstruction.drive import beta
from qsim.quantizer.learning.reconstruction.fisher import fisher
from qsim.quantizer.learning.reconstruction.parts import Part, compute, parts
from qsim.quantizer.learning.training import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.fx import Node

    from qsim.quantizer.learning.checkpoint import Checkpoint
    from qsim.quantizer.learning.network import LearnedNetwork
    from qsim.quantizer.settings import Reconstruction

STAGE: Final = "reconstruction"


@dataclass
class _Batch:
    """What one batch is before a part: in the float network, and in the quantized one."""

    floats: dict[Node, Any]
    quantized: dict[Node, Any]


def reconstruct(
    network: LearnedNetwork,
    batches: Sequence[tuple[torch.Tensor, ...]],
    settings: Reconstruction,
    watch: Callable[[Progress], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Learn the rounding of every weight in place.

    Args:
        network: weights are ``rounded``, activations ``fixed`` or ``lsq``.
        batches: of the calibration.
        settings: of the configuration.
        watch: called after each step.
        checkpoint: goes on from it, and is written after every part.
    """
    graph = network.graph
    found = parts(graph, settings)
    total = (len(found) - 1) * settings.iterations  # the last part has no weights
    done = 0 if checkpoint is None else checkpoint.found(STAGE)
    if checkpoint is not None and done:
        network.restore(checkpoint.tensors)
    names = [node for node in graph.graph.nodes if node.op == "placeholder"]
    held = [
        _Batch(dict(zip(names, batch, strict=True)), dict(zip(names, batch, strict=True)))
        for batch in _shuffled(batches, settings, any_size=_any_size(names))
    ]
    for index, part in enumerate(found[:-1]):
        if (index + 1) * settings.iterations > done:
            _Loop(network, settings, found[index:], held).run(index, total, watch)
            if checkpoint is not None:
                checkpoint.save(STAGE, (index + 1) * settings.iterations, network.state())
        _advance(network, part, found[index + 1 :], held)


def _any_size(inputs: Sequence[Node]) -> bool:
    """Return whether a network takes batches of any size."""
    shapes = [node.meta["val"].shape for node in inputs]
    return all(shape and not isinstance(shape[0], int) for shape in shapes)


def _shuffled(
    batches: Sequence[tuple[torch.Tensor, ...]], settings: Reconstruction, *, any_size: bool
) -> list[tuple[torch.Tensor, ...]]:
    """Return the samples in batches of the wanted size, drawn once.

    The batches stay as they are where a network takes no others, or shapes of samples differ.
    """
    if not any_size or len({tuple(x.shape[1:] for x in batch) for batch in batches}) > 1:
        return list(batches)
    joined = tuple(torch.cat(each) for each in zip(*batches, strict=True))
    generator = torch.Generator().manual_seed(settings.seed)
    rows = torch.randperm(len(joined[0]), generator=generator)
    return [tuple(x[some] for x in joined) for some in torch.split(rows, settings.batch)]


def _advance(
    network: LearnedNetwork, part: Part, later: Sequence[Part], held: list[_Batch]
) -> None:
    """Compute a part as it is now, and forget what no later one reads."""
    needed = {node for each in later for node in each.reads}
    for each in part.weights:
        _rounding(each.learned).hard = True
    for batch in held:
        for values, off in ((batch.floats, True), (batch.quantized, False)):
            _switch(network, off=off)
            with torch.no_grad():
                compute(network.graph, part, values)
            for node in [node for node in values if node not in needed]:
                del values[node]
    _switch(network, off=False)


def _switch(network: LearnedNetwork, *, off: bool) -> None:
    for fake in network.all_fakes():
        fake.off = off  # type: ignore[assignment]


def _rounding(learned: Any) -> Rounded:
    assert isinstance(learned, Rounded)  # noqa: S101 - for mypy: reconstruct's network has no others
    return learned


class _Loop:
    """The steps of one part."""

    def __init__(
        self,
        network: LearnedNetwork,
        settings: Reconstruction,
        rest: Sequence[Part],
        held: list[_Batch],
    ) -> None:
        self._network, self._settings, self._held = network, settings, held
        self._part, self._later = rest[0], rest[1:]
        assert self._part.result is not None  # noqa: S101 - the last part alone has none
        self._result = self._part.result
        self._quantizers = {
            node.target
            for node in self._part.nodes
            if node.op == "call_module"
            and isinstance(network.graph.get_submodule(str(node.target)), FakeActivation)
        }
        self._generator = torch.Generator()

    def run(self, index: int, total: int, watch: Callable[[Progress], None] | None) -> None:
        """Learn the part."""
        settings = self._settings
        self._generator.manual_seed(settings.seed * 1_000_003 + index)
        wanted = [self._wanted(batch) for batch in self._held]
        optimizer = torch.optim.Adam(self._groups())
        for step in range(settings.iterations):
            at = int(torch.randint(len(self._held), (1,), generator=self._generator))
            error = self._error(self._held[at], *wanted[at]) + self._drive(step)
            optimizer.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if watch is not None:
                done = index * settings.iterations + step + 1
                watch(Progress(STAGE, done, total, float(error.detach())))

    def _groups(self) -> list[dict[str, Any]]:
        roundings = [_rounding(each.learned).rounding for each in self._part.weights]
        groups = [{"params": roundings, "lr": self._settings.learning_rate}]
        scales = [p for each in self._part.activations for p in each.learned.parameters()]
        if scales and self._settings.scale_learning_rate:
            groups.append({"params": scales, "lr": self._settings.scale_learning_rate})
        return groups

    def _wanted(self, batch: _Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the float network's result, and the weight of each element."""
        _switch(self._network, off=True)
        values = dict(batch.floats)
        with torch.no_grad():
            compute(self._network.graph, self._part, values)
        weight = None
        if self._settings.algorithm == "brecq":
            weight = fisher(self._network.graph, self._later, self._result, values, self._generator)
        _switch(self._network, off=False)
        return values[self._result], weight

    def _error(
        self, batch: _Batch, wanted: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        values = dict(batch.quantized)
        dropping = self._settings.algorithm == "qdrop"
        passed = (lambda node: self._dropped(batch, node, values)) if dropping else None
        compute(self._network.graph, self._part, values, passed)
        error = (values[self._result] - wanted).square()
        error = error if weight is None else error * weight
        # The sum over an element's channels, as the papers have it; the mean over all else.
        whole: torch.Tensor = error.mean() * wanted.shape[min(1, wanted.dim() - 1)]
        return whole

    def _dropped(self, batch: _Batch, node: Node, values: dict[Node, Any]) -> None:
        """Leave elements that an activation's quantizer made as they are in float.

        Those that enter the part are then the float network's, as if nothing before were quantized.
        """
        if node.target not in self._quantizers:
            return
        source = node.all_input_nodes[0]
        made = values[node]
        plain = batch.floats[source] if source in self._part.reads else values[source]
        drawn = torch.rand(made.shape, generator=self._generator, dtype=made.dtype)
        values[node] = torch.where(drawn < self._settings.drop, plain, made)

    def _drive(self, step: int) -> torch.Tensor | float:
        power = beta(self._settings, step)
        if power is None:
            return 0.0
        left = [_rounding(each.learned).undecided(power) for each in self._part.weights]
        return self._settings.regularization * torch.stack(left).sum()
