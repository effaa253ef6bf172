"""Quantized at run time: which operators, with which calls, in files, golden sets and reports."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import qsim
from qsim.errors import InputError, UsageError
from qsim.golden import check, record
from qsim.network import load
from qsim.quantizer.pt2 import load_pt2
from qsim.report import Batch, Evaluator
from qsim.target import Target

CHAIN = ["min_max", "choose_scale", "choose_zero_point", "quantize", "linear", "dequantize_sums"]


class Attention(nn.Module):
    """A convolution, two products of one tensor, and a product of GPT-2's form behind float32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(3, 8, 1)
        self.query, self.key = nn.Linear(8, 8), nn.Linear(8, 8, bias=False)
        self.norm = nn.LayerNorm(8)
        self.weight, self.bias = nn.Parameter(torch.randn(8, 5)), nn.Parameter(torch.randn(5))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x)).transpose(1, 2)
        x = self.norm(self.query(x) + self.key(x))
        rows = torch.addmm(self.bias, x.reshape(-1, 8), self.weight)
        return rows.reshape(x.shape[0], -1, 5)


def inputs(batch: int = 3) -> Tensor:
    return torch.randn(batch, 3, 6, generator=torch.Generator().manual_seed(0))


def own(**changes: Any) -> Target:
    """Return the target of FBGEMM with another section [dynamic]."""
    document = Target.load("fbgemm-dynamic").to_dict()
    document["dynamic"] |= changes
    return Target.from_dict(document)


@cache
def quantized(*, stem: bool = False, target: Target | None = None) -> qsim.Quantized:
    torch.manual_seed(0)
    config = {"modules": {"stem": {"dynamic": False}}} if stem else None
    chosen = target or Target.load("fbgemm-dynamic")
    return qsim.quantize(Attention().eval(), inputs(), chosen, config=config)


@cache
def lowered(*, stem: bool = False, target: Target | None = None) -> qsim.Lowered:
    return qsim.lower(quantized(stem=stem, target=target))


def primitives(network: qsim.Lowered) -> list[list[str]]:
    return [[call.primitive for call in program.calls] for program in network.programs]


def test_products_run_in_programs_and_the_rest_in_float() -> None:
    # What query and key both read is quantized once.
    assert primitives(lowered()) == [[*CHAIN, *CHAIN[4:]], CHAIN]
    kinds = {item.operator: item.kind for item in lowered().host_operators}
    assert kinds["aten.conv1d.default"] == kinds["aten.add.Tensor"] == "dynamic"
    names = [str(node.target) for node in quantized().graph.graph.nodes]
    assert names.count("quantized_decomposed.choose_qparams.tensor") == 3
    assert "quantized_decomposed.quantize_per_tensor.default" not in names


def test_the_result_is_near_the_graphs() -> None:
    x = inputs()
    made, real = lowered()(x), quantized().float_graph(x)
    assert float((made - quantized()(x)).abs().max()) < 1e-5
    noise = (made - real).square().sum() / real.square().sum()
    assert noise < 1e-3
    # The trace runs call by call, the network as a stream.
    assert np.array_equal(lowered().trace(x).outputs[0], made.detach().numpy())


def test_static_and_dynamic_are_mixed_by_configuration() -> None:
    mixed = lowered(stem=True)
    stem, products, last = primitives(mixed)
    assert stem == ["correlation", "bias_add", "requantize"]
    assert (products, last) == ([*CHAIN, *CHAIN[4:]], CHAIN)
    assert "stem" not in {item.layer for item in mixed.host_operators}
    assert float((mixed(inputs()) - lowered()(inputs())).abs().max()) < 0.1


def test_all_static_is_what_the_static_target_computes() -> None:
    torch.manual_seed(0)
    model, config = Attention().eval(), {"default": {"dynamic": False}}
    made = [
        qsim.lower(qsim.quantize(model, inputs(), Target.load(name), config=given))
        for name, given in (("fbgemm-dynamic", config), ("pytorch", None))
    ]
    x = inputs()
    assert torch.equal(made[0](x), made[1](x))
    assert primitives(made[0]) == primitives(made[1])


def test_calibration_gives_nothing_where_nothing_is_static() -> None:
    model = nn.Sequential(nn.Linear(4, 3)).eval()
    target, seen = Target.load("fbgemm-dynamic"), []
    x = torch.randn(2, 4)
    networks = [
        qsim.lower(qsim.quantize(model, x, target, calibration=data, progress=seen.append))
        for data in (None, [100 * x, x])
    ]
    assert networks[0].digest == networks[1].digest
    assert seen == [1, 1]  # one run for the weights


@pytest.mark.parametrize(
    "section",
    [
        {},
        {"granularity": "token"},
        {"granularity": "token", "formula": "torch", "bits": 7, "signed": True, "symmetric": True},
        {"formula": "power-of-two", "quantize": "torch", "signed": True, "fused": False},
    ],
    ids=["tensor", "token", "token-symmetric", "power-of-two"],
)
def test_sections_in_graph_and_file(section: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, 4) * torch.tensor([1.0, 3.0, 10.0])[:, None, None]
    graph = qsim.quantize(nn.Sequential(nn.Linear(4, 3)).eval(), x, own(**section))
    network = qsim.lower(graph)
    made = network(x)
    # Per token a sample is alone; per tensor it has the scale of its batch.
    alone = torch.cat([network(one[None]) for one in x])
    token = section.get("granularity") == "token"
    assert network(x[:0]).shape == (0, 2, 3)
    with pytest.raises(qsim.ModelError, match="quantized at run time takes it in float"):
        network.quantized_io()
    assert torch.equal(alone, made) == token
    assert [program.mixing for program in network.programs] == [() if token else ("0",)]
    step = 20 / (1 << section.get("bits", 8))
    assert float((made - graph(x)).detach().abs().max()) < 4 * step
    graph.save_pt2(tmp_path / "net.pt2")
    read = load_pt2(tmp_path / "net.pt2")
    assert isinstance(read, qsim.Quantized)
    assert read.digest == network.digest
    assert torch.equal(read(x), graph(x))


def test_file_of_the_network(tmp_path: Path) -> None:
    lowered().save(tmp_path / "net.qsim")
    read = load(tmp_path / "net.qsim")
    assert read.digest == lowered().digest
    assert torch.equal(read(inputs()), lowered()(inputs()))


def test_golden_sets(tmp_path: Path) -> None:
    network = lowered()
    manifest = record(network, inputs(), tmp_path / "set")
    assert len(manifest.cases) == sum(map(len, primitives(network)))
    assert check(tmp_path / "set").ok


def test_report_has_layers_of_float32() -> None:
    evaluator = Evaluator(lowered(), quantized())
    x = inputs().numpy()
    evaluator.add(Batch((x,), (x,)))
    result = evaluator.result()
    layers = {layer.name: layer for layer in result.layers}
    assert set(layers) == {"query", "key", "addmm"} or len(layers) == 3
    for layer in result.layers:
        assert layer.primitive == "linear"
        assert layer.sqnr_db is not None
        assert 25 < layer.sqnr_db < 60
        shown = layer.to_dict()
        assert shown["lsb_max"] is shown["lsb_differing"] is None
    assert [use.holds for use in result.outputs] == ["values"]
    assert "scales are chosen at run time for a whole batch" in result.warnings[-1]
    json.dumps(result.to_dict())


def test_values_that_are_not_finite_name_layer_and_call() -> None:
    x = inputs()
    x[1, 0, 2] = float("inf")
    with pytest.raises(InputError, match=r"layer 'query', call 'linear.choose_\w+'.*finite"):
        lowered()(x)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_constants_that_are_not_finite_are_refused(name: str) -> None:
    model = nn.Sequential(nn.Linear(4, 3)).eval()
    getattr(model[0], name).data.view(-1)[1] = float("nan")
    with pytest.raises(qsim.ModelError, match=f"the {name} holds a NaN"):
        qsim.quantize(model, torch.zeros(1, 4), Target.load("fbgemm-dynamic"))


@pytest.mark.parametrize(
    ("target", "config", "message"),
    [
        ("tflite", {"default": {"dynamic": True}}, "tflite quantizes nothing at run time"),
        ("fbgemm-dynamic", {"default": {"dynamic": 1}}, "true or false"),
        ("fbgemm-dynamic", {"default": {"activation_bits": 1}}, "2 to 8"),
    ],
)
def test_what_a_target_has_not_is_refused(target: str, config: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        qsim.quantize(nn.Linear(4, 3), torch.zeros(1, 4), Target.load(target), config=config)


def test_another_target_must_have_the_scheme() -> None:
    for section, found in (({"granularity": "token"}, "per tensor"), ({"bits": 7}, "0..255")):
        with pytest.raises(qsim.ModelError, match=found):
            qsim.lower(quantized(), own(**section))
    with pytest.raises(qsim.ModelError, match=r"no section \[dynamic\]"):
        qsim.lower(quantized(), Target.load("pytorch"))


def test_other_products_stay_in_float() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.linear(x)
            return y @ y.transpose(1, 2) + self.linear(x[0, 0])

    target = Target.load("fbgemm-dynamic")
    network = qsim.lower(qsim.quantize(Odd().eval(), torch.randn(1, 4, 4), target))
    assert primitives(network) == [CHAIN]
    left = [item.operator for item in network.host_operators if item.kind == "dynamic"]
    assert left.count("aten.matmul.default") == left.count("aten.linear.default") == 1
