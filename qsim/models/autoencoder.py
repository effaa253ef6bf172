"""``autoencoder``: the anomaly detection topology of MLPerf Tiny, with seeded weights.

Source: mlcommons/tiny benchmark/training/anomaly_detection/keras_model.py (five frames of 128 mel
bands in and out, a bottleneck of 8). Difference: no bias before a batch norm (it would fold away).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from qsim.models.seeded import Headed, seeded_model

if TYPE_CHECKING:
    from qsim.models.spec import Model

_FRAMES: Final = 5
_BANDS: Final = 128
_WIDTHS: Final = (*(128,) * 4, 8, *(128,) * 4)


class Autoencoder(Headed):
    """Nine linear layers with batch norm and ReLU, and one without."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        features = _FRAMES * _BANDS
        for width in _WIDTHS:
            layers += [nn.Linear(features, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
            features = width
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(features, _FRAMES * _BANDS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map frames ``[N, 640]`` to as many values ``[N, 640]``."""
        values: torch.Tensor = self.fc(self.layers(x))
        return values


def autoencoder() -> Model:
    """Return the seeded network with 32 calibration inputs and 64 unlabelled samples."""
    return seeded_model(
        "autoencoder", Autoencoder, shape=(1, _FRAMES, _BANDS), seed=5, samples=64, flat=True
    )
