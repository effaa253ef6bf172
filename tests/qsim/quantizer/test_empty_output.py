"""A result without elements is refused before anything is calibrated."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import qsim
from qsim import Target
from qsim.errors import ModelError


class Empty(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.relu(x), x[:, 3:]


def test_an_empty_output_names_its_line() -> None:
    with pytest.raises(
        ModelError, match=r"output 1 of the model is empty: its shape is \(N, 0\)"
    ) as e:
        qsim.quantize(Empty().eval(), (torch.randn(2, 3),), Target.load("tflite"))
    assert "test_empty_output.py:" in str(e.value)
