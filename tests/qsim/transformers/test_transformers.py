"""Models straight from transformers are captured, quantized, lowered and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import qsim
from tests.qsim.transformers.models import QUICK, SLOW, gpt2, made

TFLITE = qsim.Target.load("tflite")


def leaves(value: Any) -> list[torch.Tensor]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None else [value]


@pytest.mark.parametrize(
    "factory", [*QUICK, *(pytest.param(each, marks=pytest.mark.soak) for each in SLOW)]
)
def test_a_model_of_transformers_runs(factory: Callable[[], Any]) -> None:
    model, inputs = made(factory)
    quantized = qsim.quantize(model, inputs, TFLITE)
    assert quantized.batch, quantized.fixed
    lowered = qsim.lower(quantized)
    given = quantized.example_inputs
    outputs = leaves(lowered(*given))
    traced = lowered.trace(*given)
    assert [y.tolist() for y in outputs] == [y.tolist() for y in traced.outputs]
    singles = [leaves(lowered(*(x[i : i + 1] for x in given))) for i in range(len(given[0]))]
    for index, whole in enumerate(outputs):
        assert torch.equal(torch.cat([single[index] for single in singles]), whole)
    if factory is gpt2:  # takes and returns by name
        named = lowered(**inputs)
        assert list(named) == ["logits"]
        assert named.logits.equal(outputs[0])
    with torch.no_grad():
        expected = leaves(model(**inputs) if isinstance(inputs, dict) else model(*inputs))
    for right, found in zip(expected, outputs, strict=True):
        if right.dtype.is_floating_point:
            noise = (right - found).pow(2).mean()
            assert noise <= 0.02 * right.pow(2).mean()


def test_a_cache_is_refused_by_its_name() -> None:
    model, inputs = made(gpt2)
    with pytest.raises(qsim.ModelError, match=r"returns a DynamicCache.*use_cache=False"):
        qsim.quantize(model, {**inputs, "use_cache": True}, TFLITE)
