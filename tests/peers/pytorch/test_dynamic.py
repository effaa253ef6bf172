"""quantized::linear_dynamic of FBGEMM: every float32 equal, fed the same input and weights."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

import qsim
from tests.peers.evidence.observed import compared
from tests.peers.pytorch.dense import packed
from tests.peers.pytorch.layers import HAS_VNNI
from tests.qsim.zoo.networks import module, samples

# torch 2.13 announces the end of these tensors; as long as they exist they are compared.
pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.quantize_per_tensor, torch.quantize_per_channel and other:UserWarning"
)
LENGTHS = (1, 7, 128)
_FACTORS = (np.float32(1e-6), np.float32(1e30))


class Block(torch.nn.Module):
    """Products that are written in three ways, one with a weight stored transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(24, 10)
        self.matrix = torch.nn.Parameter(torch.randn(24, 7))
        self.bias = torch.nn.Parameter(torch.randn(9))
        self.weight = torch.nn.Parameter(torch.randn(24, 9))

    def forward(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        *sequences, rows = inputs
        products = [made for x in sequences for made in (self.linear(x), x @ self.matrix)]
        return [*products, torch.addmm(self.bias, rows, self.weight)]


def inputs(rng: np.random.Generator) -> list[list[np.ndarray]]:
    """Return batches of every kind of range: about 0, one-sided, constant, tiny, huge."""
    shapes = [(2, length, 24) for length in LENGTHS] + [(2, 24)]
    xs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    plain = [xs, [x * 3 + 5 for x in xs], [-np.abs(x) for x in xs], [x * 0 for x in xs]]
    return [*plain, [x * 0 + 0.25 for x in xs], *([x * f for x in xs] for f in _FACTORS)]


@pytest.mark.peer(
    "PyTorch FBGEMM",
    ["min_max", "choose_scale", "choose_zero_point", "quantize", "linear", "dequantize_sums"],
    ["fbgemm-dynamic"],
)
@pytest.mark.parametrize("engine", ["fbgemm"], indirect=True)
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("reduced", [True, False], ids=["reduce-range", "full-range"])
def test_linear_dynamic(engine: str, per_channel: bool, reduced: bool) -> None:
    if not (HAS_VNNI or reduced):
        pytest.skip("FBGEMM saturates pairs of products on this processor")
    torch.manual_seed(0)
    target = qsim.Target.load("fbgemm-dynamic")
    default = {"per_channel": per_channel, "activation_bits": 7 if reduced else 8}
    batches = inputs(np.random.default_rng(0))
    example = tuple(map(torch.from_numpy, batches[0]))
    quantized = qsim.quantize(Block().eval(), example, target, config={"default": default})
    lowered = qsim.lower(quantized)
    assert not lowered.host_operators
    (program,) = lowered.programs
    compared(program, target)
    for xs in batches:
        read = [xs[0], xs[0], xs[1], xs[1], xs[2], xs[2], xs[3]]
        for spec, x, y in zip(lowered.outputs, read, lowered(*xs), strict=True):
            asked = torch.from_numpy(x), packed(program, spec.name), reduced
            wanted = torch.ops.quantized.linear_dynamic(*asked)
            assert np.array_equal(y, wanted.numpy()), (spec.name, x.shape)


@pytest.mark.soak
@pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
@pytest.mark.parametrize("engine", ["fbgemm"], indirect=True)
@pytest.mark.parametrize("name", ["BertModel", "GPT2LMHeadModel"])
def test_dense_layers_of_a_transformer(engine: str, name: str) -> None:
    """Every dense layer, fed what it is fed in the network; query, key and value as well."""
    target = qsim.Target.load("fbgemm-dynamic")
    x = samples(name, 2)
    config = {"default": {"activation_bits": 7}}  # exact on every processor
    lowered = qsim.lower(qsim.quantize(module(name), x, target, config=config))
    trace = lowered.trace(*x)
    layers = 0
    for program in lowered.programs:
        codes = {call.output: call.inputs[0] for call in program.calls}
        for call in program.calls:
            if call.primitive != "linear":
                continue
            read = codes[call.inputs[0]]
            layer = call.name.removesuffix(".linear")
            given = torch.from_numpy(trace.tensors[read])
            weights = packed(program, layer)
            wanted = torch.ops.quantized.linear_dynamic(given, weights, True)
            assert np.array_equal(trace.tensors[layer], wanted.numpy()), layer
            layers += 1
    assert layers == {"BertModel": 7, "GPT2LMHeadModel": 5}[name]
    left = {item.operator for item in lowered.host_operators}
    assert not left & {"aten.linear.default", "aten.addmm.default", "aten.mm.default"}
