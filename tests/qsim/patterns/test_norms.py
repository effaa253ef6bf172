"""Norms, arithmetic functions and I-BERT's softmax on integer-transformer: no float in between."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import qsim
from qsim.network import load
from qsim.target import Target
from tests.qsim.program.reading import primitives
from tests.qsim.program.reference import interpret

if TYPE_CHECKING:
    from pathlib import Path


@cache
def target(*, shifts: bool = False) -> Target:
    if not shifts:
        return Target.load("integer-transformer")
    document = Target.load("q7").to_dict()
    own = Target.load("integer-transformer").to_dict()
    document["units"], document["primitives"] = own["units"], own["primitives"]
    return Target.from_dict(document)


class Fn(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


APART = {"operators": {"composition": {"skip": True}}}  # each function by itself


def _net(*, shifts: bool) -> nn.Module:
    """Return every norm and function after a layer; weights are drawn.

    A datapath that only shifts has no functions: the constants of theirs are no powers of two.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.LayerNorm([4, 8], bias=False),
            nn.SiLU(), nn.RMSNorm(8, eps=1e-5), nn.GroupNorm(2, 4), nn.InstanceNorm1d(4),
            nn.RMSNorm(8, elementwise_affine=False), Fn(lambda x: torch.exp(x * 0.25)),
            Fn(torch.reciprocal), Fn(torch.rsqrt), nn.Softmax(-1),
        )  # fmt: skip
        for part in net:
            for parameter in part.parameters():
                parameter.data += torch.rand_like(parameter) * 0.5
    kept = [part for part in net if not (shifts and type(part) in (nn.GELU, nn.SiLU, Fn))]
    return nn.Sequential(*kept).eval()


UNITS = ["layer_norm", "integer_function", "layer_norm", "integer_function", "rms_norm",
         "group_norm", "group_norm", "rms_norm", "mul", "integer_function", "integer_function",
         "integer_function", "softmax"]  # fmt: skip


@pytest.mark.parametrize("shifts", [False, True])
def test_every_unit_is_lowered_and_follows_its_definition(shifts: bool, tmp_path: Path) -> None:
    x = torch.randn(6, 4, 6, generator=torch.Generator().manual_seed(2))
    quantized = qsim.quantize(_net(shifts=shifts), (x[:2],), target(shifts=shifts), [(x,)], APART)
    lowered = qsim.lower(quantized)
    assert lowered.host_operators == ()
    found = primitives(lowered)
    wanted = [name for name in UNITS if not shifts or name not in ("integer_function", "mul")]
    assert [name for name in found if name in wanted] == wanted
    trace = lowered.trace(x)
    (program,) = lowered.programs
    (name,) = program.inputs
    tensors, _ = interpret(program, [trace.tensors[name]])
    for made, values in tensors.items():
        np.testing.assert_array_equal(trace.tensors[made], values)
    lowered.save(tmp_path / "net.qsim")
    y = lowered(x)
    assert torch.equal(torch.as_tensor(load(tmp_path / "net.qsim")(x)), torch.as_tensor(y))
    if not shifts:
        assert float((y - quantized(x)).abs().max()) < 0.03


def test_an_encoder_has_no_float_between_its_codes() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True)
        net = nn.Sequential(layer, nn.Linear(8, 3)).eval()
        x = torch.randn(8, 5, 8)
    lowered = qsim.lower(qsim.quantize(net, (x[:2],), target(), [(x,)]))
    assert lowered.host_operators == ()
    assert [step.kind for step in lowered.steps] == ["quantize", "program", "dequantize"]
    found = primitives(lowered)
    assert [found.count(n) for n in ("layer_norm", "softmax", "integer_function")] == [2, 1, 1]
    y = lowered(x)
    with torch.no_grad():
        assert float((y - net(x)).abs().max()) < 0.1
    assert torch.equal(y, torch.cat([lowered(one[None]) for one in x]))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: functional.layer_norm(x, x.shape[1:], x[0]), "run time"),
        (lambda x: functional.instance_norm(x, use_input_stats=False, running_mean=torch.zeros(4),
                                   running_var=torch.ones(4)), "instance_norm"),
        (lambda x: functional.gelu(x * 1e-14), "2**-40..16"),
    ],
)  # fmt: skip
def test_what_is_not_lowered_says_why(function: Any, said: str) -> None:
    x = torch.randn(4, 4, 6, generator=torch.Generator().manual_seed(3))
    made = qsim.quantize(Fn(function).eval(), (x[:2],), target(), [(x,)], APART)
    lowered = qsim.lower(made)
    assert any(said in f"{host.reason} {host.operator}" for host in lowered.host_operators)


def test_fewer_fraction_bits_where_sums_would_not_fit() -> None:
    net = nn.LayerNorm(400).eval()
    x = torch.randn(2, 400, generator=torch.Generator().manual_seed(4))
    lowered = qsim.lower(qsim.quantize(net, (x,), target(), [(x,)]))
    (call,) = (c for p in lowered.programs for c in p.calls if c.primitive == "layer_norm")
    assert call.attributes["scheme"]["fraction"] == 11
    with torch.no_grad():
        assert float((lowered(x) - net(x)).abs().max()) < 0.05
