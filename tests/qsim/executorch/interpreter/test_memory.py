"""Tensors lie where the plan says; a plan that gives bytes away too early is noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from qsim.errors import ModelError
from qsim.executorch import Pte
from qsim.executorch.interpreter import Interpreter
from qsim.executorch.pte import Method, TensorSpec
from tests.qsim.executorch import pte_nets as nets


class Chain(torch.nn.Module):
    """Two tensors that live at the same time."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = torch.relu(x)
        b = torch.abs(x)
        return torch.neg(a) + b


@pytest.fixture(scope="module")
def method() -> Method:
    return Pte(nets.program(Chain(), (torch.randn(4),)).buffer)._methods["forward"]


def moved(method: Method, changes: dict[int, tuple[int, int]]) -> Method:
    """Return a method with tensors elsewhere in its memories."""
    values: list[Any] = list(method.values)
    for index, arena in changes.items():
        values[index] = replace(values[index], arena=arena)
    return replace(method, values=tuple(values))


def places(method: Method) -> list[int]:
    return [i for i, v in enumerate(method.values) if isinstance(v, TensorSpec) and v.arena]


def test_the_plan_as_it_is_runs(method: Method) -> None:
    x = torch.randn(4)
    (out,) = Interpreter(method).run([x])
    assert torch.equal(out, torch.neg(torch.relu(x)) + torch.abs(x))


def test_bytes_given_away_too_early_are_reported(method: Method) -> None:
    # Instructions: relu, abs, neg, add; absolute's result is put over relu's.
    relu, absolute = places(method)[1:3]
    spec = method.values[relu]
    assert isinstance(spec, TensorSpec)
    overlapping = moved(method, {absolute: spec.arena})  # type: ignore[dict-item]
    with pytest.raises(
        ModelError,
        match=rf"instruction 2 \(aten::neg.out\) reads value {relu} \(float32 \[4\]\), but bytes "
        rf"\d+ to \d+ of memory 1 were given to value {absolute} by instruction 1",
    ):
        Interpreter(overlapping).run([torch.randn(4)])


def test_one_shared_byte_is_enough(method: Method) -> None:
    relu, absolute = places(method)[1:3]
    spec = method.values[relu]
    assert isinstance(spec, TensorSpec)
    assert spec.arena is not None
    # The last element of one is the first of the other.
    overlapping = moved(method, {relu: (1, 64), absolute: (1, 76)})
    with pytest.raises(ModelError, match="bytes 76 to 80 of memory 1 were given to value"):
        Interpreter(overlapping).run([torch.randn(4)])
    apart = moved(method, {relu: (1, 64), absolute: (1, 80)})
    x = torch.randn(4)
    (out,) = Interpreter(apart).run([x])
    assert torch.equal(out, torch.neg(torch.relu(x)) + torch.abs(x))


def test_an_elided_view_is_the_tensor_behind_it() -> None:
    class View(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x).reshape(-1) * 2

    x = torch.randn(2, 3)
    pte = Pte(nets.program(View(), (x,)).buffer)
    assert torch.equal(pte(x), torch.relu(x).reshape(-1) * 2)
    assert not any("view" in name for name in pte.operators)


@pytest.mark.parametrize("name", ["Convolutions", "Functions"])
def test_a_result_does_not_depend_on_what_the_memories_held(name: str, one_thread: None) -> None:
    shape = (2, 3, 9, 7) if name == "Convolutions" else (2, 2, 4, 4)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    pte = Pte(nets.program(getattr(nets, name)(), (x,)).buffer)
    expected = pte(x)
    for storage in pte._interpreters["forward"]._state.memory._storage:
        storage.fill_(0xFF)  # NaN in float32, -1 in integers
    assert torch.equal(pte(x), expected)
    assert not expected.isnan().any()
