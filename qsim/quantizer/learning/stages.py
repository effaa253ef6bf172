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
    prepared: Prepared, samples: Samples, watch: Callable[[Progress], None] | None = None
) -> GraphModule:
    """Learn what the configuration says of a graph that has seen its calibration.

    Returns:
        The network in eval mode as it was trained; the observers have what was learned.
    """
    settings = prepared.quantizer.config.training
    assert settings is not None  # noqa: S101 - for mypy: asked by samples_of
    network = LearnedNetwork(prepared)
    train(network, prepared.float_graph, samples, settings, watch)
    frozen = network.freeze()
    network.leave()
    return frozen
