"""Whole int8 networks in LiteRT: every operator's result equals hw_models', by each kernel set."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tests.peers.litert.net import autoencoder, mobilenet, resnet
from tests.peers.litert.replay import replay
from tests.peers.litert.run import KERNELS, run

NETWORKS = {f.__name__: f for f in (resnet, mobilenet, autoencoder)}
# LiteRT's XNNPACK delegate takes no int8 average pooling: the optimized kernel runs.
NOT_XNNPACK = {"AVERAGE_POOL_2D"}


@pytest.mark.peer(
    "LiteRT reference", ["add", "avg_pool"], ["litert-reference", "tflite", "int4"], name="resnet"
)
@pytest.mark.peer("LiteRT optimized", ["add", "avg_pool"], ["litert-optimized"], name="resnet")
@pytest.mark.peer("LiteRT with XNNPACK", ["add", "avg_pool"], ["xnnpack"], name="resnet")
@pytest.mark.peer("LiteRT reference", ["linear"], ["litert-reference"], name="autoencoder")
@pytest.mark.peer("LiteRT optimized", ["linear"], ["litert-optimized"], name="autoencoder")
@pytest.mark.peer("LiteRT with XNNPACK", ["linear"], ["xnnpack"], name="autoencoder")
@pytest.mark.peer(
    "LiteRT reference", ["requantize_linear"], ["litert-reference"], name="autoencoder"
)
@pytest.mark.parametrize("ties", [False, True], ids=["random", "ties"])
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor(name: str, per_channel: bool, ties: bool) -> None:
    net = NETWORKS[name](3, ties=ties, per_channel=per_channel)
    feed = {net.input.name: net.x}
    results = {}
    for kernels in KERNELS:
        results[kernels], left_over = run(net.model, net.x, kernels=kernels)
        if kernels == "xnnpack":
            assert left_over <= NOT_XNNPACK
        for tensor, codes in replay(net.model, feed, kernels).items():
            if tensor != net.input.name:
                np.testing.assert_array_equal(
                    results[kernels][tensor], codes, f"{kernels}: {tensor}"
                )
    if ties:  # the three sets are three arithmetics, and these inputs tell them apart
        for a, b in combinations(KERNELS, 2):
            assert any((results[a][name] != results[b][name]).any() for name in results[a])
