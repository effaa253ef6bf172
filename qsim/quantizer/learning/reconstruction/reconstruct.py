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
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.quantizer.learning.algorithms import Rounded
from qsim.quantizer.learning.reconstruction.fisher import fisher
from qsim.quantizer.learning.reconstruction.parts import Part, compute, parts
from qsim.quantizer.learning.training import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.fx import Node

    from qsim.quantizer.learning.checkpoint import Checkpoint
    from qsim.quantizer.learning.network import LearnedNetwork
    from qsim.quantizer.settings import Reconstruction

_STEEP, _FLAT = 20.0, 2.0
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
        for batch in _shuffled(batches, settings)
    ]
    for index, part in enumerate(found[:-1]):
        if (index + 1) * settings.iterations > done:
            _Loop(network, settings, found[index:], held).run(index, total, watch)
            if checkpoint is not None:
                checkpoint.save(STAGE, (index + 1) * settings.iterations, network.state())
        _advance(network, part, found[index + 1 :], held)


def _shuffled(
    batches: Sequence[tuple[torch.Tensor, ...]], settings: Reconstruction
) -> list[tuple[torch.Tensor, ...]]:
    """Return the samples in batches of the wanted size, drawn once; whole ones as they are."""
    if len({tuple(x.shape[1:] for x in batch) for batch in batches}) > 1:
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
        self._generator = torch.Generator()

    def run(self, index: int, total: int, watch: Callable[[Progress], None] | None) -> None:
        """Learn the part."""
        settings = self._settings
        self._generator.manual_seed(settings.seed * 1_000_003 + index)
        wanted = [self._wanted(batch) for batch in self._held]
        optimizer = torch.optim.Adam(self._groups())
        dropping = settings.algorithm == "qdrop"
        for each in self._part.activations:
            each.kept = settings.drop if dropping else 0.0
            each.generator = self._generator
        for step in range(settings.iterations):
            at = int(torch.randint(len(self._held), (1,), generator=self._generator))
            error = self._error(self._held[at], *wanted[at]) + self._drive(step)
            optimizer.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if watch is not None:
                done = index * settings.iterations + step + 1
                watch(Progress(STAGE, done, total, float(error.detach())))
        for each in self._part.activations:
            each.kept = 0.0

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
        if self._settings.algorithm == "qdrop":
            values |= {node: self._mixed(batch, node) for node in self._part.reads}
        compute(self._network.graph, self._part, values)
        error = (values[self._result] - wanted).square()
        error = error if weight is None else error * weight
        # The sum over an element's channels, as the papers have it; the mean over all else.
        whole: torch.Tensor = error.mean() * wanted.shape[min(1, wanted.dim() - 1)]
        return whole

    def _mixed(self, batch: _Batch, node: Node) -> Any:
        quantized, plain = batch.quantized[node], batch.floats[node]
        if not isinstance(quantized, torch.Tensor) or not quantized.is_floating_point():
            return quantized
        drawn = torch.rand(quantized.shape, generator=self._generator, dtype=quantized.dtype)
        return torch.where(drawn < self._settings.drop, plain, quantized)

    def _drive(self, step: int) -> torch.Tensor | float:
        begin = self._settings.warm_up * self._settings.iterations
        if step < begin:
            return 0.0
        share = (step - begin) / max(self._settings.iterations - begin, 1.0)
        beta = _FLAT + (_STEEP - _FLAT) * 0.5 * (1.0 + math.cos(math.pi * share))
        left = [_rounding(each.learned).undecided(beta) for each in self._part.weights]
        return self._settings.regularization * torch.stack(left).sum()
