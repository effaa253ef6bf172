"""``ds_cnn``: the keyword spotting topology of MLPerf Tiny, with seeded weights.

Source: mlcommons/tiny benchmark/training/keyword_spotting/keras_model.py (49 frames of 10 MFCC
features, 12 words). Differences: no bias before a batch norm (it would fold away), no softmax after
the last layer, and the first convolution pads five rows on both sides where Keras pads four before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from qsim.models.mobilenet_v1 import Separable
from qsim.models.seeded import Headed, seeded_model

if TYPE_CHECKING:
    from qsim.models.spec import Model


class DSCNN(Headed):
    """A strided 10x4 convolution, four separable blocks, average pool, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 64, (10, 4), 2, padding=(5, 1), bias=False)
        self.bn = nn.BatchNorm2d(64)
        self.dropout = nn.Dropout(0.2)
        self.blocks = nn.Sequential(*(Separable(64, 64, stride=1) for _ in range(4)))
        self.dropout2 = nn.Dropout(0.4)
        self.average = nn.AvgPool2d((25, 5))
        self.fc = nn.Linear(64, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map features ``[N, 1, 49, 10]`` to logits ``[N, 12]``."""
        x = self.dropout(torch.relu(self.bn(self.conv(x))))
        x = self.average(self.dropout2(self.blocks(x)))
        logits: torch.Tensor = self.fc(x.flatten(1))
        return logits


def ds_cnn() -> Model:
    """Return the seeded network with 32 calibration inputs and 64 unlabelled samples."""
    return seeded_model("ds_cnn", DSCNN, shape=(1, 49, 10), seed=12, samples=64)
