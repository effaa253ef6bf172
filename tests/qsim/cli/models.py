"""Small models of one's own for the commands, and what `qsim run` says of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qsim.cli import main

FACTORY = """
import torch

class Net(torch.nn.Module):
    def __init__(self, host=False):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.head = torch.nn.Linear(4 * 5 * 5, 3)
        self.host = host

    def forward(self, x):
        y = self.head(torch.relu(self.conv(x)).flatten(1))
        return torch.cumsum(y, 1) if self.host else y

def _make(host=False):
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net(host)
    x = torch.rand(20, 1, 5, 5, generator=generator)
    return net, x

def make():
    net, x = _make()
    return net, (x[:2],), [(x[:10],)], (x, torch.arange(20) % 3)

def bare():
    net, x = _make()
    return net, (x[:2],)

class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(4, 3)
        self.b = torch.nn.Linear(5, 3)

    def forward(self, x, y):
        return self.a(x) + self.b(y), self.a(x)

def two():
    return Two(), (torch.rand(4, 4), torch.rand(4, 5))

class Static(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.a(x).reshape(2, 3)

def static():
    return Static(), (torch.rand(2, 4),), [(torch.rand(2, 4),), (torch.rand(2, 4),)]

def half():
    net, x = _make()
    return net.half(), (x[:2].half(),)

def double():
    net, x = _make()
    return net.double(), (x[:2].double(),)

def host():
    net, x = _make(host=True)
    print("a factory may print")
    return net, (x[:2],), [(x[:10],)], (x, None)
"""

RUN_KEYS = [
    *("model", "target", "samples", "accuracy", "host_operators", "network_sha256"),
    *("outputs_sha256", "seconds", "compiling_seconds", "layers", "agreement", "classification"),
    *("outputs", "macs", "operators", "host_reasons", "raised_scales", "warnings", "source"),
    "quantized_io",
]
# What is known of a network, but not of an ExecuTorch program.
NETWORK_KEYS = ["network_sha256", "raised_scales", "warnings"]
LAYER_KEYS = [
    *("name", "primitive", "shape", "macs", "sqnr_db", "lsb_max", "lsb_differing"),
    *("accumulator_bits", "accumulator_bits_used", "overflows", "clamped", "path"),
    *("reason", "tensor", "elements", "sqnr_infinite", "first_overflow", "accumulators"),
]


def write_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with FACTORY as net.py."""
    path = tmp_path_factory.mktemp("cli")
    (path / "net.py").write_text(FACTORY)
    return path


def compile_model(folder: Path) -> Path:
    """The model of ``make``, compiled."""
    file = folder / "net.qsim"
    assert main(["compile", f"{folder}/net.py:make", "-o", str(file)]) == 0
    return file


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main(["run", *arguments, "--json"]) == 0
    out, err = capsys.readouterr()

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    assert err == ""
    return json.loads(out, parse_constant=refuse)


def samples() -> np.ndarray:
    import torch

    return torch.rand(20, 1, 5, 5, generator=torch.Generator().manual_seed(1)).numpy()
