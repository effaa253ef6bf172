"""The caller's model: left alone, its batch norms folded; what it may not do; how it is called."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qsim.errors import InputError, UsageError
from tests.qsim.quantizer.graphs import Fn, Residual, calls, quantized, sqnr


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_the_callers_module_is_left_alone():
    model = Residual().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    q = quantized(model, torch.randn(8, 1, 8, 8))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    x = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        y = q.float_graph(x)
        for parameter in model.parameters():
            parameter.zero_()
        assert torch.equal(q.float_graph(x), y)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_batch_norm_is_folded_exactly_where_it_can_be(affine, bias):
    norm = nn.BatchNorm2d(3, affine=affine)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    model = nn.Sequential(nn.Conv2d(2, 3, 3, bias=bias), norm).eval()
    x = torch.randn(4, 2, 6, 6)
    q = quantized(model, x)
    assert len(calls(q.graph)) == 1
    with torch.no_grad():
        assert sqnr(model(x), q.float_graph(x)) > 120


def test_batch_norm_after_linear():
    norm = nn.BatchNorm1d(3)
    norm.running_mean.uniform_(-1, 1)
    model = nn.Sequential(nn.Linear(4, 3), norm).eval()
    x = torch.randn(4, 4)
    q = quantized(model, x)
    assert len(calls(q.graph)) == 1
    with torch.no_grad():
        assert sqnr(model(x), q.float_graph(x)) > 120


@pytest.mark.parametrize("case", ["two readers", "shared weight"])
def test_batch_norm_that_pt2e_would_fold_wrongly(case):
    def two_readers(self, x):
        y = self.conv(x)
        return self.norm(y) + y

    def shared_weight(self, x):
        return self.other(self.conv(self.norm(self.conv(x))))

    norms = {"norm": nn.BatchNorm2d(3), "other": nn.BatchNorm2d(3)}
    for norm in norms.values():
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    function = two_readers if case == "two readers" else shared_weight
    model = Fn(function, conv=nn.Conv2d(3, 3, 3, padding=1), **norms).eval()
    x = torch.randn(4, 3, 6, 6)
    q = quantized(model, x)
    with torch.no_grad():
        assert sqnr(model(x), q.float_graph(x)) > 110
    with torch.no_grad():
        assert sqnr(model(x), q(x)) > 25


def test_in_place_operators_mean_what_they_meant():
    def forward(self, x):
        y = self.linear(x)
        before = y * 1
        y += x
        y.relu_()
        return before + y

    model = Fn(forward, linear=nn.Linear(4, 4)).eval()
    x = torch.randn(3, 4)
    kept = x.clone()
    q = quantized(model, x)
    with torch.no_grad():
        assert torch.equal(q.float_graph(x), model(x))
    assert torch.equal(x, kept)
    assert not any(n.target._schema.is_mutable for n in calls(q.graph))


def test_a_buffer_that_is_written_is_a_state_of_the_graphs():
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x):
            self.seen += 1
            return x + self.seen

    model, x = Counter(), torch.randn(3, 4)
    q = quantized(model, x)
    assert [state.name for state in q.states] == ["seen"]
    assert not q.batch
    assert "'seen' keeps its size" in q.fixed
    assert model.seen == 0
    y, seen = q.float_graph(x, torch.ones(1))
    assert torch.equal(y, x + 2)
    assert seen == 2
    assert q(x).shape == q(x).shape == (3, 4)


def test_call_checks_its_inputs():
    q = quantized(nn.Linear(4, 4), torch.ones(1, 4))
    assert not q(torch.ones(7, 4)).requires_grad
    with pytest.raises(InputError, match=r"accepted: \(N, 4\)"):
        q(torch.ones(7, 5))
    with pytest.raises(InputError, match=r"torch\.float64"):
        q(torch.ones(7, 4).double())
    with pytest.raises(UsageError, match="0 inputs"):
        q()


def test_a_target_is_no_name_and_a_quantized_prints_on_one_line() -> None:
    import qsim

    x = torch.ones(2, 4)
    module = torch.nn.Linear(4, 3)
    with pytest.raises(qsim.UsageError, match=r"must be a qsim.Target, not 'tflite'"):
        qsim.quantize(module, (x,), "tflite")  # type: ignore[arg-type]
    quantized = qsim.quantize(module, (x,), qsim.Target.load("tflite"))
    with pytest.raises(qsim.UsageError, match=r"must be a qsim.Target, not int"):
        qsim.lower(quantized, 5)  # type: ignore[arg-type]
    assert repr(quantized) == "<Quantized for tflite: inputs 4 (any batch)>"
    assert repr(quantized.target).startswith("Target('tflite', sha256:")
