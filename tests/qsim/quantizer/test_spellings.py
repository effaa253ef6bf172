"""Spellings of one operator: each becomes what the plain one becomes, and torch agrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

import qsim
from qsim import Target
from qsim.network.lowered import Lowered
from tests.qsim.program.reading import primitives

IMAGES = torch.randn(3, 4, 4, 6, generator=torch.Generator().manual_seed(1))
ROWS = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(2))
MATRIX = torch.randn(8, 3, generator=torch.Generator().manual_seed(3))


class Model(nn.Module):
    """All functions of one input: one network has them all."""

    def __init__(self, functions: list[Callable[..., Tensor]], *parts: nn.Module) -> None:
        super().__init__()
        self.functions, self.parts = functions, nn.ModuleList(parts)
        self.register_buffer("matrix", MATRIX)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(function(self, x) for function in self.functions)


def lowered(model: nn.Module, x: Tensor, contract: str = "tflite") -> Lowered:
    """Lower a model; its results are those of the Q/DQ graph, its batch is free."""
    quantized = qsim.quantize(model.eval(), (x[:2],), Target.load(contract), [x])
    network = qsim.lower(quantized)
    program = network.programs[-1]
    for found, graph, name in zip(network(x), quantized(x), program.outputs, strict=False):
        assert float((found - graph).abs().max()) <= 1.01 * (program.tensors[name].scale or 0), name
    one = [result.numpy() for result in network(x[:1])]
    assert all((a == b[:1].numpy()).all() for a, b in zip(one, network(x), strict=True))
    return network


def float_error(network: Lowered, model: nn.Module, x: Tensor) -> list[float]:
    """Return how far each result is from torch's, in steps of its codes."""
    program = network.programs[-1]
    scales = [program.tensors[name].scale or 1.0 for name in program.outputs]
    pairs = zip(network(x), model(x), scales, strict=True)
    return [float((found - exact).abs().max()) / scale for found, exact, scale in pairs]


NOTHING: list[Callable[..., Tensor]] = [
    lambda _, x: x.float(),
    lambda _, x: x.to(torch.float32).type(torch.float32),
    lambda _, x: x.type_as(x).to("cpu"),
    lambda _, x: x.to(memory_format=torch.channels_last),
    lambda _, x: x.contiguous(memory_format=torch.channels_last).clone().detach(),
    lambda _, x: F.dropout2d(F.dropout(x, training=False), training=False),
    lambda _, x: F.feature_alpha_dropout(F.alpha_dropout(x, training=False), training=False),
    lambda _, x: +x,
    lambda _, x: x.view_as(x),
]


def test_what_changes_nothing_costs_nothing() -> None:
    model = Model([lambda m, x, f=f: f(m, x * 2.0).exp() for f in NOTHING])
    network = lowered(model, IMAGES)
    assert network.host_operators == ()
    assert set(primitives(network)) <= {"lookup", "mul", "reshape"}
    assert primitives(network).count("mul") <= 1
    plain = lowered(Model([lambda _, x: (x * 2.0).exp()]), IMAGES)
    for found in network(IMAGES):
        assert torch.equal(found, plain(IMAGES)[0])


def test_a_cast_alone_is_handed_on() -> None:
    network = qsim.lower(qsim.quantize(nn.Identity(), (IMAGES,), Target.load("tflite")))
    cast = Model([lambda _, x: x.float()])
    assert torch.equal(
        qsim.lower(qsim.quantize(cast, (IMAGES,), Target.load("tflite")))(IMAGES)[0],
        network(IMAGES),
    )


def test_joins_have_many_names() -> None:
    joins: list[Callable[..., Tensor]] = [
        lambda _, x: torch.cat([x, x * 0.3], 1),
        lambda _, x: torch.concat([x, x * 0.3], dim=1),
        lambda _, x: torch.concatenate([x, x * 0.3], 1),
        lambda _, x: torch.hstack([x, x * 0.3]),
        lambda _, x: torch.column_stack([x, x * 0.3]),
        lambda _, x: torch.dstack([x, x * 0.3]).transpose(1, 2),
    ]
    network = lowered(Model(joins), IMAGES)
    assert network.host_operators == ()
    assert primitives(network).count("concat") == len(joins)
    first, *others = network(IMAGES)[:-1]
    assert all(torch.equal(first, other) for other in others)


PRODUCTS: list[Callable[..., Tensor]] = [
    lambda m, x: x @ m.matrix,
    lambda m, x: torch.einsum("bij,jk->bik", x, m.matrix),
    lambda m, x: torch.einsum("ok,...k->...o", m.matrix.t(), x),
    lambda m, x: torch.tensordot(x, m.matrix, 1),
    lambda m, x: torch.inner(x, m.matrix.t()),
    lambda m, x: F.linear(x.reshape(-1, 8), m.matrix.t()).reshape(-1, 5, 3),
    lambda m, x: (x.view(-1, 8) @ m.matrix).view(x.shape[0], 5, -1),
    lambda m, x: torch.einsum("bij,jk->bki", x, m.matrix).mT,
]


@pytest.mark.parametrize("contract", ["tflite", "onnxruntime", "nvdla-like"])
def test_products_have_many_spellings(contract: str) -> None:
    network = lowered(Model(PRODUCTS), ROWS, contract)
    assert network.host_operators == ()
    assert primitives(network).count("linear") == len(PRODUCTS)
    assert set(primitives(network)) == {"linear", "requantize", "permute"}
    results = network(ROWS)
    assert all(torch.equal(result, results[0]) for result in results)


def test_products_of_two_activations() -> None:
    model = Model(
        [
            lambda _, x: x @ x.mT,
            lambda _, x: torch.einsum("bij,bkj->bik", x, x),
            lambda _, x: torch.baddbmm(torch.zeros(1, 5, 5), x, x.mT),
            lambda m, x: x @ m.matrix[:, 0],
        ]
    )
    network = lowered(model, ROWS)
    assert network.host_operators == ()
    assert primitives(network).count("matmul") == 3
    assert torch.equal(network(ROWS)[0], network(ROWS)[1])
    assert max(float_error(network, model, ROWS)) < 3


class Flattened(nn.Module):
    """Two layers and what stands between them, over rows of all samples."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.bias = (
            nn.Linear(8, 6),
            nn.Linear(6, 4),
            nn.Parameter(torch.ones(4)),
        )

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(0, 1)
        hidden = F.gelu(self.one(flat)) + self.one(x.reshape(-1, 8))
        y = torch.addmm(self.bias, F.dropout(hidden, training=False), self.two.weight.t())
        return torch.softmax(y, -1).reshape(x.shape[0], 5, 2, 2) * 2.0


@pytest.mark.parametrize("contract", ["tflite", "xnnpack"])
def test_layers_of_flattened_rows_keep_the_batch_in_front(contract: str) -> None:
    model = Flattened().eval()
    quantized = qsim.quantize(model, (ROWS[:2],), Target.load(contract), [ROWS])
    network = qsim.lower(quantized)
    assert network.host_operators == ()
    assert len(network.programs) == 1
    scale = network.programs[0].tensors[network.programs[0].outputs[0]].scale or 0.0
    assert float((network(ROWS) - quantized(ROWS)).abs().max()) <= 1.01 * scale
    assert float((network(ROWS) - model(ROWS).detach()).abs().max()) < 6 * scale
    assert torch.equal(network(ROWS[1:2]), network(ROWS)[1:2])


EXTREMES: list[Callable[..., Any]] = [
    lambda _, x: x.amax((2, 3)),
    lambda _, x: torch.amax(x, dim=(2, 3), keepdim=True),
    lambda _, x: x.amax(1),
    lambda _, x: x.max(2)[0],
    lambda _, x: x.max(1, keepdim=True)[0],
    lambda _, x: x.amax((1, -1)),
    lambda _, x: x.amin((2, 3)),
    lambda _, x: x.min(1)[0],
]


@pytest.mark.parametrize("contract", ["tflite", "q7"])
def test_extremes_along_dimensions_are_pools(contract: str) -> None:
    model = Model(EXTREMES)
    network = lowered(model, IMAGES, contract)
    assert network.host_operators == ()
    assert primitives(network).count("max_pool") == len(EXTREMES)
    assert max(float_error(network, model, IMAGES)) <= 1.6
    first, kept = network(IMAGES)[:2]
    assert torch.equal(first, kept.flatten(1))


def test_extremes_without_a_pool_and_positions_stay() -> None:
    single = Model([lambda _, x: x.amax((2, 3)) * 1.0])
    network = qsim.lower(qsim.quantize(single, (IMAGES,), Target.load("q15")))
    assert "aten.amax.default" in {item.operator for item in network.host_operators}
    both = Model([lambda _, x: sum(x.max(1))])  # type: ignore[list-item, return-value]
    network = lowered(both, IMAGES)
    assert "aten.max.dim" in {item.operator for item in network.host_operators}


def test_gates_and_scaled_sums_are_their_parts() -> None:
    model = Model(
        [
            lambda _, x: F.glu(x, 1),
            lambda _, x: torch.addcmul(x, x.sigmoid(), x.mean((2, 3), keepdim=True), value=0.5),
            lambda _, x: torch.lerp(x, x.mean((2, 3), keepdim=True), 0.3),
            lambda _, x: torch.add(x, x.mean((2, 3), keepdim=True), alpha=-2),
            lambda _, x: torch.sub(x, x.mean(1, keepdim=True), alpha=0.5),
            lambda _, x: x.mean((2, 3), keepdim=True).flatten(2).reshape_as(x[:, :, :1, :1]),
        ]
    )
    network = lowered(model, IMAGES)
    assert {item.operator for item in network.host_operators} <= {"aten.slice.Tensor"}
    assert max(float_error(network, model, IMAGES)) < 6
