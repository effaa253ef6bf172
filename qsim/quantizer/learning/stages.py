"""The learning of one quantization, in its order."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch

from qsim.errors import UsageError
from qsim.quantizer.learning import reconstruction
from qsim.quantizer.learning.checkpoint import Checkpoint, identity_of
from qsim.quantizer.learning.network import LearnedNetwork
from qsim.quantizer.learning.training import Progress, Samples, train

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from typing import Any

    from torch.fx import GraphModule

    from qsim.quantizer.config import QuantizeConfig
    from qsim.quantizer.stages import Prepared


def again(config: QuantizeConfig) -> bool:
    """Return whether learning reads the calibration batches after ranges were found in them."""
    return config.reconstruction is not None


def require_one_length(config: QuantizeConfig) -> None:
    """Refuse to learn for sequences of any length.

    Raises:
        UsageError: names the table of the configuration.
    """
    for name in _learning(config):
        raise UsageError(
            "is for networks of one length",
            where=f"config.{name}",
            accepted="a network without lengths, or lengths without it",
        )


def _learning(config: QuantizeConfig) -> list[str]:
    """Return the names of the tables that have something learned."""
    return [name for name in ("training", "reconstruction") if getattr(config, name) is not None]


def samples_of(config: QuantizeConfig, training: Any) -> Samples | None:
    """Return the training samples where the configuration trains.

    Raises:
        UsageError: training without samples, or samples without training.
    """
    if config.training is None:
        if training is not None:
            raise UsageError(
                "are given, and the configuration trains nothing",
                where="training samples",
                accepted="a table [training] in the configuration",
            )
        return None
    if training is None:
        raise UsageError(
            "there are no training samples",
            where="config.training",
            accepted="training=(inputs, labels)",
        )
    if isinstance(training, Samples):
        return training
    inputs, labels = training
    return Samples((inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs), labels)


def learn(
    prepared: Prepared,
    calibration: Any,
    samples: Samples | None,
    watch: Callable[[Progress], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> GraphModule | None:
    """Learn what the configuration says of a graph that has seen its calibration.

    Args:
        prepared: the graph; its observers have what was learned afterwards.
        calibration: its batches, a list where ``again`` says so.
        samples: to train on, where the configuration trains.
        watch: called after each step.
        checkpoint: a path at which an interrupted learning is kept, and goes on from.

    Returns:
        The network in eval mode as it was learned; None where nothing is learned.

    Raises:
        UsageError: the configuration learns what this network does not let it.
    """
    config = prepared.quantizer.config
    for name in _learning(config):
        if prepared.states or prepared.quantizer.at_run_time:
            held = "states" if prepared.states else "operands that are quantized at run time"
            raise UsageError(
                f"learns no network with {held}",
                where=f"config.{name}",
                accepted="a network without them, or no such table",
            )
    if config.reconstruction is not None:
        kept = "fixed" if config.reconstruction.algorithm == "adaround" else "lsq"
        network = LearnedNetwork(prepared, weights="rounded", activations=kept)
        file = _checkpoint(checkpoint, prepared, network, itertools.chain(*calibration))
        reconstruction.reconstruct(network, calibration, config.reconstruction, watch, file)
    elif config.training is not None and samples is not None:
        network = LearnedNetwork(prepared, live_norms=config.training.freeze_batch_norm > 0.0)
        file = _checkpoint(checkpoint, prepared, network, samples.tensors)
        train(network, prepared.float_graph, samples, config.training, watch, file)
    else:
        return None
    frozen = network.freeze()
    network.leave()
    return frozen


def _checkpoint(
    path: str | os.PathLike[str] | None,
    prepared: Prepared,
    network: LearnedNetwork,
    tensors: Iterable[torch.Tensor],
) -> Checkpoint | None:
    if path is None:
        return None
    quantizer = prepared.quantizer
    settings = {"config": quantizer.config.to_dict(), "target": quantizer.target.hash}
    return Checkpoint(path, identity_of(settings, (*network.state().values(), *tensors)))
