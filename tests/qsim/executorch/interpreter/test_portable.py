"""The float operators that qsim defines: bit for bit what the C++ runtime computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from qsim.executorch import Pte
from qsim.executorch.interpreter.portable import definitions
from tests.qsim.executorch import pte_nets as nets

# Zeros, the smallest and largest numbers, no numbers, and where functions change their method.
EXTREMES = [
    *(0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, 1e-7, -1e-7, 3.4e38, -3.4e38),
    *(float("inf"), -float("inf"), float("nan"), 88.0, 89.0, -87.0, -88.0, -103.0, -104.0, 104.0),
    *(1.0, -1.0, 0.5, 10.0, -10.0, 20.0, -20.0, 9.0, -9.0, 4.97, 5.0, -5.0),
]


def draw(*shape: int, scale: float = 3.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def spread() -> torch.Tensor:
    parts = [draw(1500, scale=scale, seed=1) for scale in (0.1, 5.0, 20.0)]
    return torch.cat([torch.tensor(EXTREMES), *parts])


class Each(torch.nn.Module):
    """Applies functions to the same inputs."""

    def __init__(self, functions: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, *inputs: torch.Tensor) -> tuple[Any, ...]:
        results = [function(*inputs) for function in self.functions]
        return tuple(
            item for made in results for item in (made if isinstance(made, tuple) else (made,))
        )


FUNCTIONS = (
    *(torch.acos, torch.acosh, torch.asin, torch.asinh, torch.atan, torch.atanh, torch.cos),
    *(torch.cosh, torch.erf, torch.exp, torch.expm1, torch.log, torch.log10, torch.log1p),
    *(torch.log2, torch.sin, torch.sinh, torch.tan, torch.tanh, torch.sigmoid, F.gelu, F.elu),
    *(torch.sqrt, torch.abs, torch.sign, torch.rsqrt, torch.reciprocal, F.relu, F.relu6),
    lambda x: F.gelu(x, approximate="tanh"),
    lambda x: F.elu(x, 1.7),
    lambda x: x.pow(3),
    lambda x: x.pow(1.7),
    lambda x: 2**x,
    lambda x: x / 3.1,
    lambda x: x * 0.1,
    lambda x: torch.add(x, 1.0, alpha=0.3),
    lambda x: torch.fmod(x, 0.7),
    lambda x: torch.remainder(x, 0.7),
    lambda x: torch.cumsum(x[32:], 0),
)
PAIRS = (
    *(torch.atan2, torch.div, torch.mul, torch.maximum, torch.minimum, torch.pow, torch.fmod),
    *(torch.remainder, torch.floor_divide),
    lambda x, y: torch.add(x, y, alpha=0.3),
    lambda x, y: torch.sub(x, y, alpha=0.3),
    lambda x, y: torch.div(x, y, rounding_mode="trunc"),
    lambda x, y: x / y[:1],
)
DIMS: tuple[Any, ...] = (None, [0], [1], [2], [0, 2], [1, 2])
SUMS = (
    *(lambda x, d=d: torch.sum(x, d) for d in DIMS),
    *(lambda x, d=d: torch.mean(x, d) for d in DIMS),
    *(lambda x, d=d: torch.var(x, d) for d in DIMS),
    lambda x: x.sum(1, keepdim=True),
    lambda x: x[:, :, 0].sum(1, keepdim=True),
    lambda x: x.mean(),
    lambda x: x.var(1, correction=0),
    lambda x: x.var((0, 1), correction=2.5, keepdim=True),
    lambda x: torch.var_mean(x, [1]),
    lambda x: (x * 0.0).sum(0),  # of zeros of both signs
    lambda x: x.cumsum(1),
    lambda x: (x * 0.3)[0, :, 0].prod(),
    *(lambda x, d=d: F.softmax(x, d) for d in range(3)),
    *(lambda x, d=d: F.log_softmax(x, d) for d in range(3)),
)
POOLS = (
    *(lambda x, o=o: F.adaptive_avg_pool2d(x, o) for o in ((1, 1), (3, 2), (7, 7), (5, 1))),
    lambda x: F.avg_pool2d(x, 3, 2, 1),
    lambda x: F.avg_pool2d(x, (3, 2), (2, 3), 1, ceil_mode=True, count_include_pad=False),
    lambda x: F.max_pool2d(x, 3, 2, 1),
    *(
        lambda x, size=size, align=align: F.interpolate(
            x, size=size, mode="bilinear", align_corners=align
        )
        for size in ((17, 23), (4, 5), (1, 13))
        for align in (False, True)
    ),
    lambda x: F.interpolate(x, scale_factor=2.5, mode="bilinear"),
    lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),
)
NORMS = (
    *(
        lambda x, n=n: torch.native_layer_norm(x[:, :n], [n], x[0, :n], x[1, :n], 1e-5)
        for n in (5, 100, 255, 256, 300, 2500)
    ),
    lambda x: F.layer_norm(x[:, :37], [37]),
    lambda x: F.layer_norm(x, [2500]),
)
PRODUCTS = (
    torch.mm,
    lambda x, y: x[:1] @ y,
    lambda x, y: x @ y[:, :1],
    lambda x, y: torch.stack([x, x + 1]) @ torch.stack([y, y]),
    lambda x, y: torch.addmm(y[0], x, y),
    lambda x, y: torch.addmm(y[0], x, y, beta=0.5, alpha=1.5),
    lambda x, y: F.linear(x, y.t(), y[1]),
)
CASES: dict[str, tuple[Sequence[Any], tuple[torch.Tensor, ...]]] = {
    "functions": (FUNCTIONS, (spread(),)),
    "pairs": (PAIRS, (draw(3000, seed=2), draw(3000, seed=3))),
    "sums": (SUMS, (draw(5, 37, 21),)),
    "pools": (POOLS, (draw(2, 4, 11, 13),)),
    "norms": (NORMS, (draw(4, 2500),)),
    "products": (PRODUCTS, (draw(9, 70), draw(70, 33, seed=1))),
}


@cache
def program(name: str) -> bytes:
    functions, inputs = CASES[name]
    return bytes(nets.program(Each(functions), inputs).buffer)


@pytest.mark.parametrize("name", CASES)
def test_equals_the_runtime(name: str, one_thread: None) -> None:
    _, inputs = CASES[name]
    data = program(name)
    (expected,) = nets.run_cpp(data, inputs)
    found = nets.listed(Pte(data)(*inputs))
    assert len(found) == len(expected)
    wrong = [i for i, pair in enumerate(zip(found, expected, strict=True)) if not same(*pair)]
    assert wrong == []


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Return whether two results have the same bits, but for the sign of what is no number."""
    return nets.same([a.nan_to_num(7.0, 1e39, -1e39)], [b.nan_to_num(7.0, 1e39, -1e39)]) and (
        torch.equal(a.isnan(), b.isnan())
    )


def test_the_cases_call_every_definition() -> None:
    called = {operator for name in CASES for operator in Pte(program(name)).operators}
    elsewhere = {"convolution.out", "_native_batch_norm_legit_no_training.out"}  # whole networks
    left = {
        name.removeprefix("aten::") for name in set(definitions.DEFINITIONS) - called
    } - elsewhere
    assert left == {"linear.out"}  # a delegate may ask for it; ExecuTorch takes it apart otherwise
