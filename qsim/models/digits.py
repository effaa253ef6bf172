"""``digits``: a small residual CNN on scikit-learn's handwritten digits (1797 images of 8x8).

The data are real and travel with scikit-learn; the weights were trained by
``python -m qsim.models.train_digits`` and are committed as ``digits.safetensors``.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

from qsim.errors import MissingToolError, ModelError
from qsim.models.seeded import undisturbed
from qsim.models.spec import Model

WEIGHTS: Final = Path(__file__).with_name("digits.safetensors")
CLASSES: Final = 10
_SPLIT_SEED: Final = "qsim digits"
_HELD_OUT: Final = 0.28
_CALIBRATION: Final = (8, 32)  # batches, images in each


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, added before the last ReLU."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, channels_in, H, W]`` to ``[N, channels_out, H/stride, W/stride]``."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + self.shortcut(x))


class DigitsNet(nn.Module):
    """Convolution, two residual blocks, max pool, global average pool, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.layer1 = Block(16, 16, stride=1)
        self.layer2 = Block(16, 32, stride=2)
        self.pool = nn.MaxPool2d(2)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(32, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images ``[N, 1, 8, 8]`` in 0..1 to logits ``[N, 10]``."""
        x = torch.relu(self.bn(self.conv(x)))
        x = self.pool(self.layer2(self.layer1(x)))
        logits: torch.Tensor = self.fc(self.average(x).flatten(1))
        return logits


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Return all images ``[1797, 1, 8, 8]`` scaled to 0..1 and their labels ``[1797]``.

    They are read from scikit-learn's files: importing it takes longer than a run of the network.

    Raises:
        MissingToolError: scikit-learn is not installed, or has no such file.
    """
    rows = np.loadtxt(_file(), delimiter=",", dtype=np.float64)
    pixels = torch.from_numpy(rows[:, :-1]).to(torch.float32).reshape(-1, 1, 8, 8) / 16.0
    return pixels, torch.from_numpy(rows[:, -1]).to(torch.int64)


def _file() -> Path:
    """Return scikit-learn's file of the images: 64 pixels and the label in each line."""
    found = importlib.util.find_spec("sklearn")  # does not import it
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            return path
    raise MissingToolError(
        "the model digits needs scikit-learn, which holds the images; in the "
        "checkout: pip install -e '.[models]'"
    )


def split(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the indices of the training part and of the held-out part, stratified by label.

    The order within a class comes from SHA-256, so that no library's random stream, which may
    change with its version, can move an image from one part to the other.
    """
    train: list[int] = []
    held_out: list[int] = []
    for label in range(CLASSES):
        own = torch.nonzero(labels == label).flatten().tolist()
        own.sort(key=lambda index: hashlib.sha256(f"{_SPLIT_SEED} {index}".encode()).digest())
        count = round(len(own) * _HELD_OUT)
        held_out += own[:count]
        train += own[count:]
    return torch.tensor(sorted(train)), torch.tensor(sorted(held_out))


def network(weights: Path = WEIGHTS) -> DigitsNet:
    """Return the trained network in eval mode.

    Raises:
        ModelError: the weights are missing, damaged or another network's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    with undisturbed():
        net = DigitsNet()
    try:
        net.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"the weights cannot be read: {reason}",
            where=str(weights),
            accepted="what python -m qsim.models.train_digits writes",
        ) from None
    return net.eval()


def digits() -> Model:
    """Return the trained network, calibration images and the whole held-out part.

    Raises:
        MissingToolError: scikit-learn is not installed.
    """
    pixels, labels = images()
    train, held_out = split(labels)
    batches, size = _CALIBRATION
    # Evenly spaced: every class and every writer of the set has a part.
    chosen = train[:: len(train) // (batches * size)][: batches * size]
    calibration = tuple((batch,) for batch in torch.split(pixels[chosen], size))
    return Model(
        network(),
        (pixels[held_out[:1]],),
        calibration,
        (pixels[held_out], labels[held_out]),
        "digits",
        training=(pixels[train], labels[train]),
    )
