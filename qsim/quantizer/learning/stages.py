"""The learning of one quantization, in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qsim.errors import UsageError
from qsim.quantizer.learning.network import LearnedNetwork
from qsim.quantizer.learning.training import Progress, Samples, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from torch.fx import GraphModule

    from qsim.quantizer.config import QuantizeConfig
    from qsim.quantizer.stages import Prepared


def again(config: QuantizeConfig) -> bool:
    """Return whether learning reads the calibration batches after ranges were found in them."""
    return config.reconstruction is not None or config.bias_correction is not None


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
    calibration: Any,  # noqa: ARG001 - for reconstruction
    samples: Samples | None,
    watch: Callable[[Progress], None] | None = None,
) -> GraphModule | None:
    """Learn what the configuration says of a graph that has seen its calibration.

    Args:
        prepared: the graph; its observers have what was learned afterwards.
        calibration: its batches, a list where ``again`` says so.
        samples: to train on, where the configuration trains.
        watch: called after each step.

    Returns:
        The network in eval mode as it was learned; None where nothing is learned.
    """
    settings = prepared.quantizer.config.training
    if settings is None or samples is None:
        return None
    network = LearnedNetwork(prepared)
    train(network, prepared.float_graph, samples, settings, watch)
    frozen = network.freeze()
    network.leave()
    return frozen
