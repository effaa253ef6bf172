"""Small networks as ``.pt2`` files, and such files written with another content."""

from __future__ import annotations

import json
import zipfile

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        y = self.act(self.norm(self.conv(x)))
        y = y + self.act(x)
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(y, 1), 1))


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x):
        return torch.relu(self.linear(x))


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {i.filename: archive.read(i) for i in archive.infolist()}


def write(path, files, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def changed(source, destination, suffix, change):
    """Write a copy in which one JSON member is changed."""
    files = members(source)
    name = next(n for n in files if n.endswith(suffix))
    document = json.loads(files[name])
    change(document)
    files[name] = json.dumps(document).encode()
    return write(destination, files)
