"""Training a network with fake quantizers on samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from qsim.errors import InputError, UsageError
from qsim.quantizer.learning.checkpoint import of_optimizer, restore_optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.fx import GraphModule

    from qsim.quantizer.learning.checkpoint import Checkpoint
    from qsim.quantizer.learning.network import LearnedNetwork
    from qsim.quantizer.settings import Training


@dataclass(frozen=True)
class Samples:
    """What a network is trained on.

    Attributes:
        inputs: one tensor for each argument, samples along dimension 0.
        labels: what a loss compares with; None for distillation.
    """

    inputs: tuple[torch.Tensor, ...]
    labels: torch.Tensor | None = None

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Inputs and labels."""
        return self.inputs if self.labels is None else (*self.inputs, self.labels)

    def __len__(self) -> int:
        return len(self.inputs[0])


@dataclass(frozen=True)
class Progress:
    """How far a stage of learning is.

    Attributes:
        stage: its name: ``training``, ...
        done: steps that are done.
        total: steps in all.
        loss: of the last one.
    """

    stage: str
    done: int
    total: int
    loss: float


def train(
    network: LearnedNetwork,
    float_graph: GraphModule,
    samples: Samples,
    settings: Training,
    watch: Callable[[Progress], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train weights, biases and scales in place.

    Args:
        network: what is trained.
        float_graph: the same in float, for distillation.
        samples: to train on.
        settings: of the configuration.
        watch: called after each step.
        checkpoint: goes on from it, and is written after every epoch.

    Raises:
        UsageError: a loss that needs labels, and none are given.
        InputError: the loss is no number any more.
    """
    if samples.labels is None and settings.loss != "distillation":
        raise UsageError(
            f"is {settings.loss}, and the training samples have no labels",
            where="config.training.loss",
            accepted="distillation, or samples with labels",
        )
    optimizer = _optimizer(network, settings)
    rates = [group["lr"] for group in optimizer.param_groups]
    per_epoch = math.ceil(len(samples) / settings.batch)
    total = settings.epochs * per_epoch
    done = 0 if checkpoint is None else checkpoint.found("training")
    if checkpoint is not None and done:
        network.restore(checkpoint.tensors)
        restore_optimizer(optimizer, checkpoint.tensors)
    stop = math.ceil(settings.freeze_batch_norm * total)
    for epoch in range(done // per_epoch, settings.epochs):
        for rows in _order(len(samples), settings, epoch)[done - epoch * per_epoch :]:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * _share(settings, done, total)
            if done >= stop:
                network.stop_norms()
            batch = tuple(x[rows] for x in samples.inputs)
            labels = None if samples.labels is None else samples.labels[rows]
            loss = _loss(network.graph(*batch), batch, labels, float_graph, settings)
            if not math.isfinite(float(loss.detach())):
                raise InputError(
                    f"the loss is {float(loss.detach())} at step {done + 1} of {total}",
                    where="config.training.learning_rate",
                    accepted="a smaller rate, or samples that give finite values",
                )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            done += 1
            if watch is not None:
                watch(Progress("training", done, total, float(loss.detach())))
        if checkpoint is not None:
            checkpoint.save("training", done, {**network.state(), **of_optimizer(optimizer)})


def _optimizer(network: LearnedNetwork, settings: Training) -> torch.optim.Optimizer:
    decayed = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    many = [p for p in network.weights() if p.dim() > 1]
    few = [p for p in network.weights() if p.dim() <= 1]
    groups = [
        {"params": many, **decayed},
        {"params": few, "lr": settings.learning_rate, "weight_decay": 0.0},
        {"params": network.scales(), "lr": settings.scale_learning_rate, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9)
    return torch.optim.AdamW(groups)


def _order(count: int, settings: Training, epoch: int) -> Sequence[torch.Tensor]:
    """Return the rows of each step of an epoch: they hang on the seed and the epoch alone."""
    generator = torch.Generator().manual_seed((settings.seed * 1_000_003 + epoch) % 2**63)
    rows = torch.randperm(count, generator=generator)
    return torch.split(rows, settings.batch)


def _share(settings: Training, done: int, total: int) -> float:
    if settings.schedule == "constant":
        return 1.0
    return 0.5 * (1.0 + math.cos(math.pi * done / total))


def _loss(
    made: Any,
    batch: tuple[torch.Tensor, ...],
    labels: torch.Tensor | None,
    float_graph: GraphModule,
    settings: Training,
) -> torch.Tensor:
    if settings.loss == "cross_entropy":
        assert labels is not None  # noqa: S101 - for mypy: asked before
        return F.cross_entropy(made, labels)
    if settings.loss == "mse":
        assert labels is not None  # noqa: S101 - likewise
        return F.mse_loss(made, labels)
    with torch.no_grad():
        wanted = float_graph(*batch)
    return F.kl_div(
        F.log_softmax(made, -1), F.log_softmax(wanted, -1), reduction="batchmean", log_target=True
    )
