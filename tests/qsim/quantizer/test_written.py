"""Norms that a model writes by hand become one operator, and compute what they did."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.fx import Node

import qsim
from qsim.graph import capture, nodes, quiet
from qsim.quantizer.functionalizing import simple_graph
from tests.qsim.quantizer.graphs import Fn

UNITS, TFLITE = (qsim.Target.load(name) for name in ("integer-transformer", "tflite"))
X = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
W, B = torch.linspace(0.5, 1.5, 8), torch.linspace(-1, 1, 8)
LAST = {"dim": -1, "keepdim": True}
Function = Callable[[torch.Tensor], torch.Tensor]


def _mean(x: torch.Tensor) -> torch.Tensor:
    return x.mean(**LAST)


def _spread(x: torch.Tensor) -> torch.Tensor:
    var, mean = torch.var_mean(x, -1, unbiased=False, keepdim=True)
    return (x - mean) * torch.rsqrt(var + 1e-5) * W + B


RMS: dict[str, Function] = {
    "rsqrt": lambda x: (
        W * (x.float() * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6))
    ),
    "root": lambda x: x / torch.sqrt(_mean(x * x) + 1e-6) * W,
    "quotient": lambda x: x * (1 / torch.sqrt(_mean(torch.square(x)) + 1e-6)),
    "power": lambda x: x * (_mean(x**2) + 1e-6).pow(-0.5) * (1 + W),
    "scaled": lambda x: W * x * torch.rsqrt(_mean(x**2) + 1e-6),
    "without": lambda x: x * torch.rsqrt(_mean(x**2)),
    "planes": lambda x: x * torch.rsqrt((x * x).mean((1, 2), keepdim=True) + 1e-6),
    "one": lambda x: x * torch.rsqrt(_mean(x**2) + 1e-6) * W[None, None],
}
LAYER: dict[str, Function] = {
    "twice": lambda x: (x - _mean(x)) / torch.sqrt(_mean((x - _mean(x)) ** 2) + 1e-5) * W + B,
    "var": lambda x: W * (x - _mean(x)) / torch.sqrt(x.var(unbiased=False, **LAST) + 1e-5) + B,
    "correction": lambda x: (x - _mean(x)) / torch.sqrt(x.var(correction=0, **LAST) + 1e-5) + B,
    "var_mean": _spread,
}
# Not norms of rows, or of other rows.
OTHERS: dict[str, Function] = {
    "unbiased": lambda x: (x - _mean(x)) / torch.sqrt(x.var(**LAST) + 1e-5),
    "std": lambda x: (x - _mean(x)) / (x.std(**LAST) + 1e-5),
    "first": lambda x: x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-6),
    "another": lambda x: x.exp() * torch.rsqrt(_mean(x**2) + 1e-6),
    "cube": lambda x: x * torch.rsqrt(_mean(x**4) + 1e-6),
    "sum": lambda x: x * torch.rsqrt((x * x).sum(**LAST) + 1e-6),
    "batch": lambda x: x * torch.rsqrt((x * x).mean((0, 1, 2), keepdim=True) + 1e-6),
}


def _norms(target: qsim.Target) -> dict[str, list[str]]:
    """Return the norms behind each output of a plain graph that computes what all functions do."""
    functions = RMS | LAYER | OTHERS
    model = Fn(lambda _, x: tuple(function(x * 1.5) for function in functions.values())).eval()
    with quiet(), torch.no_grad():
        graph = simple_graph(capture(model, (X,)).program, target)[0]
        for made, wanted in zip(graph(X), model(X), strict=True):
            torch.testing.assert_close(made, wanted, rtol=1e-5, atol=1e-6)
    outputs = list(graph.graph.nodes)[-1].args[0]
    return {name: _behind(node) for name, node in zip(functions, outputs, strict=True)}


def _behind(node: Node) -> list[str]:
    names = [name for read in node.all_input_nodes for name in _behind(read)]
    own = nodes.operator_name(node)
    return [*names, own] if own.endswith("_norm") else names


def test_what_is_a_norm_of_rows_becomes_one_operator() -> None:
    wanted = {key: ["rms_norm"] for key in RMS} | {key: ["layer_norm"] for key in LAYER}
    assert _norms(UNITS) == wanted | {name: [] for name in OTHERS}


def test_a_target_without_the_primitive_keeps_plain_operators() -> None:
    assert not any(_norms(TFLITE).values())
