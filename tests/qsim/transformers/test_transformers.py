"""Models of transformers take and return by name; what they compute, tests/qsim/zoo compares."""

from __future__ import annotations

import importlib.util

import pytest
import torch

import qsim
from tests.qsim.zoo.networks import module, samples

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
TFLITE = qsim.Target.load("tflite")
WORDS = {"input_ids": samples("GPT2LMHeadModel", 2)[0]}


def test_a_model_takes_and_returns_by_name() -> None:
    model = module("GPT2LMHeadModel")
    quantized = qsim.quantize(model, WORDS, TFLITE)
    assert quantized.batch, quantized.fixed
    named = qsim.lower(quantized)(**WORDS)
    assert list(named) == ["logits"]
    with torch.no_grad():
        right = model(**WORDS).logits
    assert (right - named.logits).pow(2).mean() <= 0.02 * right.pow(2).mean()


def test_a_cache_is_refused_by_its_name() -> None:
    with pytest.raises(qsim.ModelError, match=r"returns a DynamicCache.*use_cache=False"):
        qsim.quantize(module("GPT2LMHeadModel"), {**WORDS, "use_cache": True}, TFLITE)
