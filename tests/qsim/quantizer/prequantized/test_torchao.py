"""Models of torchao's quantize_: codes, scales, zero points and groups are torchao's."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchao.quantization import (
    Int8DynamicActivationInt8WeightConfig,
    Int8DynamicActivationIntxWeightConfig,
    Int8WeightOnlyConfig,
    IntxWeightOnlyConfig,
    MappingType,
    PerAxis,
    PerGroup,
    PerTensor,
    quantize_,
)

import qsim
from qsim.errors import ModelError
from qsim.target import Target


def taken(config: Any, model: nn.Module | None = None) -> nn.Module:
    torch.manual_seed(0)
    made = (model or nn.Sequential(nn.Linear(32, 20), nn.ReLU(), nn.Linear(20, 3))).eval()
    quantize_(made, config)
    return made


def lowered(model: nn.Module, target: str | Target, inputs: int = 32) -> qsim.Lowered:
    chosen = Target.load(target) if isinstance(target, str) else target
    return qsim.lower(qsim.quantize(model, torch.randn(2, 3, inputs), chosen))


def draws(inputs: int = 32) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    powers = [2.0 ** torch.randint(-30, 30, (4, 3, 1), generator=random) for _ in range(8)]
    drawn = [torch.randn(4, 3, inputs, generator=random) * power for power in powers]
    return [*drawn, torch.zeros(1, 3, inputs)]


@pytest.mark.parametrize(
    ("bits", "granularity", "mapping"),
    [
        (torch.int4, PerGroup(8), MappingType.SYMMETRIC),
        (torch.int4, PerGroup(32), MappingType.ASYMMETRIC),
        (torch.int8, PerAxis(0), MappingType.SYMMETRIC),
    ],
)
def test_groups(bits: torch.dtype, granularity: Any, mapping: MappingType) -> None:
    """Codes are torchao's; its sums have the BLAS's order, and differ in their last bits."""
    config = Int8DynamicActivationIntxWeightConfig(
        weight_dtype=bits, weight_granularity=granularity, weight_mapping_type=mapping
    )
    model = taken(config, nn.Sequential(nn.Linear(64, 20)))
    network = lowered(model, "torchao-intx", 64)
    (program,), weight = network.programs, model[0].weight
    held = program.constants
    assert program.calls[-1].primitive == "linear_groups"
    assert np.array_equal(held["linear.weight"], weight.qdata.numpy())
    assert np.array_equal(held["linear.weight_scale"], weight.scale.numpy())
    zeros = held.get("linear.weight_zero_point")
    assert np.array_equal(np.zeros(1) if zeros is None else zeros, weight.zero_point.numpy()) or (
        zeros is None and not weight.zero_point.any()
    )
    for x in draws(64):
        codes = network.trace(x).tensors["linear.quantize"]
        scale = network.trace(x).tensors["linear.choose_scale"]
        zero = network.trace(x).tensors["linear.choose_zero_point"].astype(np.int64)
        real = _operand(x).numpy()
        assert np.array_equal((codes - zero).astype(np.float32) * scale, real)
        found, wanted = network(x).numpy(), model(x).detach().numpy()
        largest = np.abs(real).max(-1, keepdims=True) @ np.ones((1, 20), np.float32)
        assert (np.abs(found - wanted) <= 64 * 2.0**-24 * (largest * 64 + 1)).all()


def _operand(x: Tensor) -> Tensor:
    from torchao.quantization.quantize_.workflows.intx import intx_unpacked_to_int8_tensor as intx

    found: Tensor = intx._apply_int8_act_asym_per_token_quant_dequant(x)
    return found


def pair(first: Any, second: Any) -> nn.Module:
    model = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 32)).eval()
    quantize_(model, first, filter_fn=lambda _, name: name == "0")
    quantize_(model, second, filter_fn=lambda _, name: name == "1")
    return model


INT8, INTX = Int8DynamicActivationInt8WeightConfig, Int8DynamicActivationIntxWeightConfig


def narrow() -> Target:
    document = Target.load("torchao-intx").to_dict()
    document["weight"]["bits"] = 4
    return Target.from_dict(document)


@pytest.mark.parametrize(
    ("make", "target", "text"),
    [
        (lambda: taken(Int8WeightOnlyConfig()), "torchao-int8", "^0: its weight alone is "),
        (
            lambda: taken(IntxWeightOnlyConfig(granularity=PerGroup(4))),
            "torchao-intx",
            "^0: its weight alone is quantized: a product of float activations",
        ),
        (
            lambda: taken(INT8(), nn.Sequential(nn.Linear(32, 3)).to(torch.bfloat16)),
            "torchao-int8",
            r"^0: it computes in torch.bfloat16 \(accepted: float32 ",
        ),
        (
            lambda: taken(INTX(weight_granularity=PerGroup(4), weight_scale_dtype=torch.bfloat16)),
            "torchao-intx",
            "^0: its scales are torch.bfloat16",
        ),
        (
            lambda: taken(INT8(act_mapping_type=MappingType.ASYMMETRIC)),
            "torchao-int8",
            r"^0: \S+ has a zero point of its own at run time.*symmetric = true\)$",
        ),
        (
            lambda: pair(INT8(granularity=PerTensor()), INT8()),
            "torchao-int8",
            "^1: its operand has a scale per token, and that of 0 one per tensor",
        ),
        (
            lambda: pair(INTX(weight_dtype=torch.int4), INTX()),
            narrow(),
            r"^1: its weight has codes -128\.\.127.* the target's \[weight\] holds -8\.\.7\)$",
        ),
    ],
)
def test_refused(make: Any, target: Any, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        lowered(make(), target)


def test_the_model_is_left_as_it_was() -> None:
    model = taken(INT8())
    before = copy.deepcopy(model)
    lowered(model, "torchao-int8")
    assert type(model[0]) is nn.Linear
    assert torch.equal(model(torch.ones(2, 32)), before(torch.ones(2, 32)))
