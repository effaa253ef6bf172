"""capture: what is exported, what is left alone, and what a refusal looks like."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qsim.errors import InputError, ModelError, UsageError
from qsim.graph.capturing import capture


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(torch.relu(self.norm(self.conv(x))))


class Branches(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x + 1
        return x - 1


class FixedBatch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 4)

    def forward(self, x):
        return self.linear(x.view(1, 12))


class FlattensAll(nn.Module):
    """Exports with a symbolic dimension 0, which is no batch: samples are mixed."""

    def forward(self, x):
        return x.view(1, -1).sum(dim=1)


class OneIsSpecial(nn.Module):
    """Exports for batches of two and more, with another graph than for one."""

    def forward(self, x):
        return x * 2 if x.shape[0] == 1 else x + 1


class Many(nn.Module):
    def forward(self, *tensors):
        return sum(tensors)


def test_example_batch_of_one_gives_a_graph_for_any_batch():
    model = Net().eval()
    program, batch, _ = capture(model, torch.randn(1, 1, 6, 6))
    assert batch
    graph = program.module(check_guards=False)
    with torch.no_grad():
        for size in (1, 2, 5):
            x = torch.randn(size, 1, 6, 6)
            assert torch.equal(graph(x), model(x))


def test_training_flags_weights_and_statistics_are_left_alone():
    model = Net().train()
    model.drop.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [module.training for module in model.modules()]
    capture(model, torch.randn(2, 1, 6, 6))
    assert [module.training for module in model.modules()] == flags
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_export_is_in_eval_mode():
    program, *_ = capture(Net().train(), torch.randn(2, 1, 6, 6))
    dropout = next(n for n in program.graph.nodes if "dropout" in str(n.target))
    assert dropout.args[2] is False


@pytest.mark.parametrize("model", [FixedBatch(), FlattensAll(), OneIsSpecial()])
def test_model_that_fixes_its_batch_keeps_the_shapes_of_the_example(model):
    x = torch.randn(1, 3, 4)
    program, batch, _ = capture(model, x)
    assert not batch
    with torch.no_grad():
        assert torch.equal(program.module(check_guards=False)(x), model(x))


def test_variadic_forward():
    program, batch, _ = capture(Many(), (torch.ones(2, 3), torch.ones(2, 3)))
    assert batch
    assert program.module(check_guards=False)(torch.ones(5, 3), torch.ones(5, 3)).shape == (5, 3)


def test_inputs_of_different_batches_are_not_batched():
    class Outer(nn.Module):
        def forward(self, a, b):
            return a @ b

    _, batch, _ = capture(Outer(), (torch.ones(2, 3), torch.ones(3, 4)))
    assert not batch


def test_no_grad_inside_forward_leaves_no_subgraph():
    class Guarded(nn.Module):
        def forward(self, x):
            with torch.no_grad():
                return torch.relu(x)

    program, *_ = capture(Guarded(), torch.ones(2, 3))
    assert [str(n.target) for n in program.graph.nodes if n.op == "call_function"] == [
        "aten.relu.default"
    ]


def test_exported_program_is_taken_as_it_is():
    program = torch.export.export(Net().eval(), (torch.randn(2, 1, 6, 6),))
    assert capture(program, torch.randn(2, 1, 6, 6))[:2] == (program, False)


def test_control_flow_on_data_is_refused_in_one_line_with_its_place(capfd):
    with pytest.raises(ModelError) as caught:
        capture(Branches(), torch.ones(2, 3))
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.where.startswith("test_capturing.py:")
    assert "data-dependent" in message
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_error_of_forward_names_the_users_line():
    with pytest.raises(ModelError, match="cannot be exported") as caught:
        capture(nn.Sequential(FixedBatch()), torch.ones(5, 7))
    assert caught.value.where.startswith("0 (test_capturing.py:")


@pytest.mark.parametrize(
    ("inputs", "error", "text"),
    [
        (([1.0, 2.0],), UsageError, "holds no tensor"),
        ((torch.ones(2), object()), UsageError, "[1] is a object"),
        ((), UsageError, "accepted: a tuple of tensors"),
        ("x", UsageError, "is a str"),
        (torch.empty(0, 3), InputError, "has shape (0, 3)"),
        (torch.tensor([[float("nan")]]), InputError, "NaN"),
        (torch.tensor([[float("inf")]]), InputError, "infinity"),
    ],
)
def test_bad_example_inputs(inputs, error, text):
    with pytest.raises(error) as caught:
        capture(nn.ReLU(), inputs)
    assert text in str(caught.value)


def test_not_a_module():
    with pytest.raises(UsageError, match="the model is a int"):
        capture(3, torch.ones(1))
