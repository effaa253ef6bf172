"""torchao's quantize_ on the CPU: int8 weights, every float32; weights in groups, every code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchao.quantization import (
    Int8DynamicActivationInt8WeightConfig,
    Int8DynamicActivationIntxWeightConfig,
    MappingType,
    PerAxis,
    PerGroup,
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


@pytest.mark.peer(
    "torchao", ["min_max", "choose_scale", "choose_zero_point", "quantize"], ["torchao-intx"]
)
@pytest.mark.parametrize(
    ("bits", "granularity", "mapping"),
    [
        (torch.int4, PerGroup(8), MappingType.SYMMETRIC),
        (torch.int4, PerGroup(32), MappingType.ASYMMETRIC),
        (torch.int8, PerAxis(0), MappingType.SYMMETRIC),
    ],
)
def test_codes_of_groups(bits: torch.dtype, granularity: Any, mapping: MappingType) -> None:
    """Codes are torchao's; its sums have the BLAS's order, and differ in their last bits."""
    config = Int8DynamicActivationIntxWeightConfig(
        weight_dtype=bits, weight_granularity=granularity, weight_mapping_type=mapping
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 20)).eval()
    quantize_(model, config)
    target = Target.load("torchao-intx")
    network = lowered(model, target)
    (program,), weight = network.programs, model[0].weight
    compared(program, target)
    held = program.constants
    assert program.calls[-1].primitive == "linear_groups"
    assert np.array_equal(held["linear.weight"], weight.qdata)
    assert np.array_equal(held["linear.weight_scale"], weight.scale)
    zeros = held.get("linear.weight_zero_point", np.zeros(weight.scale.shape))
    assert np.array_equal(zeros, weight.zero_point)
    for power in (-30.0, 0.0, 30.0):
        x = torch.randn(4, 3, 32) * 2**power
        made = network.trace(x).tensors
        zero = made["linear.choose_zero_point"].astype(np.int64)
        real = (made["linear.quantize"] - zero).astype(np.float32) * made["linear.choose_scale"]
        assert np.array_equal(real, operand(x))
        found, wanted = network(x).numpy(), model(x).detach().numpy()
        size = np.abs(real).sum(-1, keepdims=True) + 1
        assert (np.abs(found - wanted) <= 32 * 2.0**-24 * size).all()


def operand(x: Tensor) -> Tensor:
    """Return torchao's own quantized and dequantized operand."""
    from torchao.quantization.quantize_.workflows.intx import intx_unpacked_to_int8_tensor as intx

    found: Tensor = intx._apply_int8_act_asym_per_token_quant_dequant(x)
    return found
