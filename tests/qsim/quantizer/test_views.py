"""Writes in place through views: exactly what eager torch computes, or refused."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import qsim
from qsim.graph import capture, quiet
from qsim.quantizer.functionalizing import simple_graph
from tests.qsim.quantizer.graphs import Fn
from tests.qsim.quantizer.programs import draw, example

TFLITE = qsim.Target.load("tflite")


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def passed(exported: Any) -> Any:
    """Return an exported program's graph after all passes."""
    with quiet():
        return simple_graph(exported, TFLITE)[0]


def simplified(model: nn.Module, x: torch.Tensor) -> Any:
    return passed(capture(model, (x,))[0])


def written(_: object, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Put numbers at either end, at every other place, in the middle, and at one place."""
    made = [x.clone() for _ in range(5)]
    made[0][:, :2] = 0.5
    made[1][:, :, 1:].fill_(-2.0)
    made[2][..., 1:4:2] = torch.tensor(0.3)
    made[3][:, 1:3].zero_()
    made[4][:, 1, 2] = 7
    return tuple(made)


def test_numbers_that_are_written_are_borders_for_every_batch() -> None:
    graph = simplified(Fn(written), torch.randn(2, 4, 3, 5))
    kinds = {str(n.target) for n in graph.graph.nodes if n.op == "call_function"}
    assert "aten.constant_pad_nd.default" in kinds
    assert not any("fill" in kind or "scatter" in kind or "zero" in kind for kind in kinds)
    pads = [n for n in graph.graph.nodes if "pad" in str(n.target)]
    assert all(not isinstance(n.meta["val"].shape[0], int) for n in pads)
    x = torch.randn(3, 4, 3, 5)
    assert all(map(torch.equal, graph(x), written(None, x)))


def outcome(seed: int) -> str:
    """Say what becomes of a random program; what it computes must be what eager torch computes."""
    program = draw(seed).eval()
    try:
        program(example(seed))
        exported, batched, _ = capture(program, (example(seed),))
    except (RuntimeError, qsim.ModelError):
        return "no program of torch's"
    try:
        graph = passed(exported)
    except qsim.ModelError:
        return "refused"
    for batch in (4, 1, 3) if batched else (4,):
        expected, got = program(example(seed, batch)), graph(example(seed, batch))
        assert all(map(torch.equal, expected, got)), f"seed {seed}, batch {batch}"
    return "writes" if program.writes else "equal"


def test_random_programs_equal_eager_torch_or_are_refused() -> None:
    found = collections.Counter(map(outcome, range(12)))
    assert found["writes"] >= 4
    assert found["refused"] <= 2


@pytest.mark.soak
@pytest.mark.parametrize("first", range(12, 2012, 100))
def test_many_random_programs_equal_eager_torch_or_are_refused(first: int) -> None:
    found = collections.Counter(map(outcome, range(first, first + 100)))
    assert found["writes"] >= 10


def first_of(split: Callable[[torch.Tensor], Any]) -> Callable[..., torch.Tensor]:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x)
        split(y)[0].relu_()
        return y  # type: ignore[no-any-return]

    return forward


def add_out(self: Any, x: torch.Tensor) -> torch.Tensor:
    y = self.linear(x)
    torch.add(x, x, out=y)
    return y  # type: ignore[no-any-return]


def many_at_once(self: Any, x: torch.Tensor) -> torch.Tensor:
    y = self.linear(x)
    torch._foreach_add_([y, x], 1.0)
    return y  # type: ignore[no-any-return]


def wider(self: Any, x: torch.Tensor) -> torch.Tensor:
    y = self.linear(x)
    y.mul_(torch.full((8,), 0.1, dtype=torch.float64))
    return y  # type: ignore[no-any-return]


def own_part(self: Any, x: torch.Tensor) -> torch.Tensor:
    y = self.linear(x)
    y.add_(y[:, :1])
    return y  # type: ignore[no-any-return]


SHARED = {
    "chunk": first_of(lambda y: y.chunk(2, 1)),
    "split": first_of(lambda y: y.split([3, 5], 1)),
    "unbind": first_of(lambda y: y.unbind(1)),
    "tensor_split": first_of(lambda y: y.tensor_split(3, 1)),
    "nested": first_of(lambda y: y.chunk(2, 1)[1].reshape(-1, 2, 2).unbind(1)),
    "a slice": first_of(lambda y: [y[:, ::2]]),
    "einsum": first_of(lambda y: [torch.einsum("ij->ji", y)]),
    "copied for some batches": first_of(lambda y: [y.t().reshape(-1)]),
    "out": add_out,
    "another type": wider,
}


@pytest.mark.parametrize("case", SHARED)
def test_a_write_that_another_view_reads_is_functionalised(case: str) -> None:
    model, x = Fn(SHARED[case], linear=nn.Linear(8, 8)).eval(), torch.randn(4, 8)
    graph = simplified(model, x)
    assert torch.equal(graph(x), model(x))
    names = {str(node.target) for node in graph.graph.nodes if node.op == "call_function"}
    assert not {
        name for name in names if name.rpartition(".")[0].endswith("_") or "scatter" in name
    }


def test_a_write_whose_result_hangs_on_its_order_is_refused() -> None:
    with pytest.raises(qsim.ModelError, match=r"add_.*reads slice_1, which shares memory"):
        simplified(Fn(own_part, linear=nn.Linear(8, 8)).eval(), torch.randn(4, 8))


def disjoint(self: Any, x: torch.Tensor) -> torch.Tensor:
    gates = self.linear(x)
    first, second = gates.chunk(2, 1)
    first.relu_()
    second.sigmoid_()
    return torch.cat([second, first], 1)


def a_view_of_a_part(self: Any, x: torch.Tensor) -> torch.Tensor:
    parts = self.linear(x).tensor_split(3, 1)
    part = parts[0].view(-1, 3).unsqueeze(1)
    part.mul_(2.0)
    return torch.cat([parts[1], parts[2], part.squeeze(1)], 1)


def over_again(self: Any, x: torch.Tensor) -> torch.Tensor:
    y = self.linear(x)
    y += x
    y.relu_()
    y.unsqueeze_(1)
    y.copy_(y * 2)
    return y  # type: ignore[no-any-return]


@pytest.mark.parametrize("forward", [disjoint, a_view_of_a_part, over_again])
def test_writes_that_nothing_else_sees_are_kept(forward: Callable[..., torch.Tensor]) -> None:
    model, x = Fn(forward, linear=nn.Linear(8, 8)).eval(), torch.randn(4, 8)
    graph = simplified(model, x)
    assert torch.equal(graph(x), model(x))


@pytest.mark.parametrize("norm", ["batch_norm", "instance_norm"])
def test_a_norm_that_writes_its_statistics_is_refused(norm: str) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        mean, variance = self.norm.running_mean, self.norm.running_var
        return getattr(nn.functional, norm)(x, mean, variance, None, None, True)  # type: ignore[no-any-return]

    with pytest.raises(qsim.ModelError, match=r"writes into its buffer 'norm\.running_mean'"):
        simplified(Fn(forward, norm=nn.BatchNorm1d(3)).eval(), torch.randn(4, 3, 5))
