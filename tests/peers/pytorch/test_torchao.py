"""torchao's quantize_ on the CPU, Int8DynamicActivationInt8WeightConfig: every float32 equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchao.quantization import (
    Int8DynamicActivationInt8WeightConfig,
    MappingType,
    PerRow,
    PerTensor,
    quantize_,
)

import qsim
from qsim.target import Target
from tests.peers.evidence.observed import compared


def taken(**settings: Any) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 20), nn.ReLU(), nn.Linear(20, 3, bias=False)).eval()
    quantize_(model, Int8DynamicActivationInt8WeightConfig(**settings))
    return model


def lowered(model: nn.Module, target: Target) -> qsim.Lowered:
    return qsim.lower(qsim.quantize(model, torch.randn(2, 3, 32), target))


def require_same(network: qsim.Lowered, model: nn.Module) -> None:
    """Compare rows of every size, and rows of zeros."""
    random = torch.Generator().manual_seed(1)
    for batch in (1, 4, 33):
        powers = 2.0 ** torch.randint(-30, 30, (batch, 3, 1), generator=random)
        drawn: Tensor = torch.randn(batch, 3, 32, generator=random) * powers
        drawn[0, 1] = 0
        drawn[0, 2].abs_()
        found, wanted = network(drawn).numpy(), model(drawn).detach().numpy()
        np.testing.assert_array_equal(found.view(np.int32), wanted.view(np.int32))


@pytest.mark.peer(
    "torchao",
    ["min_max", "choose_scale", "choose_zero_point", "quantize", "linear", "dequantize_sums"],
    ["torchao-int8"],
)
@pytest.mark.parametrize("reduce_range", [False, True])
def test_every_bit(reduce_range: bool) -> None:
    model = taken(reduce_range=reduce_range)
    target = Target.load("torchao-int8")
    network = lowered(model, target)
    for program in network.programs:
        compared(program, target)
    require_same(network, model)
    (rule,) = (c for c in network.programs[0].calls if c.primitive == "choose_scale")
    assert rule.attributes["high"] == (63 if reduce_range else 127)
    assert np.array_equal(network.programs[0].constants["linear.weight"], model[0].weight.qdata)


def test_zero_points_and_one_scale_for_the_weight() -> None:
    model = taken(act_mapping_type=MappingType.ASYMMETRIC, granularity=[PerRow(), PerTensor()])
    document = Target.load("torchao-int8").to_dict()
    document["dynamic"]["symmetric"] = False
    require_same(lowered(model, Target.from_dict(document)), model)
