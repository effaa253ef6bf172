"""Models of torchao's quantize_: codes, scales, zero points and groups are torchao's."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torchao.quantization import (
    Int8DynamicActivationInt8WeightConfig,
    Int8DynamicActivationIntxWeightConfig,
    Int8WeightOnlyConfig,
    IntxWeightOnlyConfig,
    MappingType,
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
