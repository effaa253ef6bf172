"""What quantizing leaves behind: nothing but its result."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

from qsim.quantizer import quantize
from qsim.quantizer.observers import ActivationObserver, WeightObserver
from qsim.target import Target
from tests.qsim.quantizer.graphs import Residual


def test_what_observed_a_network_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Observers hold every weight; torch and torchao keep graphs that hold observers."""
    made: list[weakref.ref[object]] = []
    for observer in (ActivationObserver, WeightObserver):
        forward = observer.forward

        def watched(self: torch.nn.Module, x: torch.Tensor, forward=forward) -> torch.Tensor:  # type: ignore[no-untyped-def]
            made.append(weakref.ref(self))
            return forward(self, x)

        monkeypatch.setattr(observer, "forward", watched)
    result = quantize(Residual(), torch.ones(2, 1, 8, 8), Target.load("tflite"))
    gc.collect()
    assert made
    assert [ref() for ref in made if ref() is not None] == []
    assert result.graph is not None
