"""Models to quantize, and what tests read out of a Q/DQ graph."""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own name for it
from torch import nn

from qsim.graph import capture, nodes
from qsim.quantizer import Quantized, quantize
from qsim.registry import patterns as registry
from qsim.target import Target


class Residual(nn.Module):
    """A small digits-like network with one of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.ReLU(inplace=True)
        self.depth = nn.Conv2d(8, 8, 3, padding="same", groups=8)
        self.norm2 = nn.BatchNorm2d(8)
        self.clip = nn.ReLU6()
        self.head = nn.Linear(8, 10)
        for norm in (self.norm, self.norm2):
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)

    def forward(self, x):
        x = self.act(self.norm(self.stem(x)))
        y = self.clip(self.norm2(self.depth(x)))
        y += x
        y = F.max_pool2d(self.act(y), 2)
        return self.head(F.adaptive_avg_pool2d(y, 1).flatten(1))


@cache
def residual():
    """Return the network, its graph, which is captured once for all targets, and its inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, x = Residual().eval(), torch.randn(32, 1, 8, 8)
    return model, capture(model, (x[:1],))[0], x


@cache
def quantized_residual(target: str) -> Quantized:
    """Return the network, quantized for a target; nobody changes it."""
    _, graph, x = residual()
    return quantize(graph, x[:1], Target.load(target), calibration=[x[:16], x[16:]])


class Fn(nn.Module):
    """A module around a function of (self, *tensors)."""

    def __init__(self, function, **modules) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.function(self, x)


class FnTwo(Fn):
    def forward(self, x, y):
        return self.function(self, x, y)


def family(node):
    """By overload: between dequantize and quantize the shapes and constants are gone."""
    return next((pattern.name for pattern in registry.candidates(node.target)), None)


def is_q(node):
    return ".quantize_per" in str(getattr(node, "target", ""))


def is_dq(node):
    return ".dequantize_per" in str(getattr(node, "target", ""))


def calls(graph):
    return [
        n for n in graph.graph.nodes if n.op == "call_function" and not is_q(n) and not is_dq(n)
    ]


def constant(graph, node):
    return getattr(graph, node.target) if isinstance(node, torch.fx.Node) else node


def activations(graph):
    return [n.args[1:] for n in graph.graph.nodes if ".quantize_per_tensor" in str(n.target)]


def computed_in_codes(node):
    """Whether the operator reads dequantize only and is read by one quantize, a relu between."""
    readers = list(node.users)
    while len(readers) == 1 and nodes.clamp_range(readers[0]) is not None:
        readers = list(readers[0].users)
    read = all(is_dq(n) or n.op == "get_attr" for n in node.all_input_nodes)
    return read and is_dq(node.args[0]) and len(readers) == 1 and is_q(readers[0])


def quantized(model, *inputs, target="tflite", **options):
    return quantize(model, inputs, Target.load(target), **options)


def sqnr(reference, got):
    reference, got = reference.detach(), got.detach()
    noise = (reference - got).double().square().sum()
    return 10 * math.log10(float(reference.double().square().sum() / noise))
