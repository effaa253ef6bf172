"""What edge programs take and return besides tensors, and their branches and loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from qsim.errors import InputError, ModelError
from qsim.executorch import register, run_edge
from tests.qsim.executorch.edges import lowered_edge, network, same, to_edge

pytestmark = pytest.mark.usefixtures("one_thread")


def edge(module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any] | None = None) -> Any:
    return to_edge(torch.export.export(module, inputs, keywords or {}, strict=False))


class Nested(nn.Module):
    def forward(self, x: Tensor, pair: Any, *, scale: Tensor, named: Any) -> dict[str, Any]:
        first, (second,) = pair
        return {
            "sum": x * scale + first,
            "nothing": None,
            "three": 3,
            "both": (named["a"] + second, [named["b"][0]]),
        }


def nested_inputs() -> tuple[tuple[Any, ...], dict[str, Any]]:
    x, y, z, a, b = (torch.randn(2, generator=torch.Generator().manual_seed(i)) for i in range(5))
    return (x, (y, [z])), {"scale": a, "named": {"a": b, "b": (x * 2,)}}


def test_nested_and_keyword_inputs_and_outputs_that_are_no_tensors() -> None:
    inputs, keywords = nested_inputs()
    manager = edge(Nested(), inputs, keywords)
    wanted = Nested()(*inputs, **keywords)
    found = run_edge(manager, *inputs, keywords=keywords)
    assert (found.pop("nothing"), found.pop("three")) == (None, 3)
    assert (wanted.pop("nothing"), wanted.pop("three")) == (None, 3)
    assert same(found, wanted)
    swapped = dict(reversed(keywords.items()))  # by name, whatever their order
    again = run_edge(manager, *inputs, keywords=swapped)
    assert torch.equal(again["sum"], wanted["sum"])


def test_arrays_are_taken_as_a_pte_takes_them() -> None:
    manager = edge(nn.Softmax(1), (torch.zeros(2, 3),))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert torch.equal(run_edge(manager, x), torch.softmax(torch.from_numpy(x), 1))
    assert torch.equal(run_edge(manager, x.astype(">f4")), run_edge(manager, x))
    with pytest.raises(InputError, match=r"input 0 \(input_1\): is float64 \[2, 3\]"):
        run_edge(manager, x.astype(np.float64))
    with pytest.raises(InputError, match=r"input 0 \(input_1\): is a str \(accepted: a tensor of"):
        run_edge(manager, "text")
    with pytest.raises(InputError, match=r"input 0 \(input_1\): is sparse_coo \(accepted: .*dense"):
        run_edge(manager, torch.zeros(2, 3).to_sparse())


def test_other_nesting_and_other_names_are_refused() -> None:
    inputs, keywords = nested_inputs()
    manager = edge(Nested(), inputs, keywords)
    with pytest.raises(InputError, match=r"2 inputs were given, scale \(accepted: 2, scale, named"):
        run_edge(manager, *inputs, keywords={"scale": keywords["scale"]})
    with pytest.raises(
        InputError, match=r"nested otherwise \(accepted: \(\*, \(\*, \[\*\]\), scale"
    ):
        run_edge(manager, inputs[0], list(inputs[1]), keywords=keywords)


class Scaled(nn.Module):
    def forward(self, x: Tensor, factor: int, what: None) -> Tensor:
        return x * factor


def test_a_value_that_the_program_fixes() -> None:
    x = torch.randn(3)
    manager = edge(Scaled(), (x, 2, None))
    assert torch.equal(run_edge(manager, x, 2, None), x * 2)
    with pytest.raises(InputError, match=r"input 1 \(factor\): is 3 \(accepted: 2, as exported"):
        run_edge(manager, x, 3, None)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda v: v * self.weight + 1, lambda v: v - 1, (x,))


class Inner(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        def inner(v: Tensor) -> Tensor:
            return torch.cond(v.max() > 1, lambda u: u * 2, lambda u: u * 3, (v,))

        return torch.cond(x.sum() > 0, inner, lambda v: v - 1, (x,))


class Rows(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        from functorch.experimental import control_flow

        return control_flow.map(lambda a, b: (a * b + a, a * 2), x, x.amax(0))


class Scan(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        from torch._higher_order_ops.scan import scan

        return scan(lambda c, v: (c + v, c * v), torch.zeros(3), x, dim=0)


class Loop(nn.Module):
    def forward(self, x: Tensor) -> Any:
        from torch._higher_order_ops import while_loop

        return while_loop(
            lambda i, v: i < 3, lambda i, v: (i + 1, v * 2), (torch.tensor(0), x.clone())
        )


@pytest.mark.parametrize("make", [Branches, Inner, Rows, Scan, Loop])
def test_branches_and_loops_run(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    module = make().eval()
    x = torch.randn(4, 3)
    manager = edge(module, (x,))
    for sign in (1, -1):
        inputs = x.abs() * sign
        with torch.no_grad():
            assert same(run_edge(manager, inputs), module(inputs))


class Wrapped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        from torch._higher_order_ops.associative_scan import associative_scan

        return associative_scan(torch.add, x, dim=0, combine_mode="generic")


class Changed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x.add_(1)
        return x * 2


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)
        return x + self.count


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Counting(), r"run_edge: it has a buffer mutation \(count\) \(accepted: .*a \.pte of it"),
        (Changed(), r"run_edge: it has a user input mutation \(x\)"),
    ],
)
def test_programs_that_change_state_are_refused(module: nn.Module, message: str) -> None:
    x = torch.ones(2, 3)
    manager = edge(module, (x.clone(),))
    with pytest.raises(ModelError, match=message):
        run_edge(manager, x)


def renamed_delegate() -> tuple[Any, tuple[Tensor, ...]]:
    """Return a program whose delegate is another backend's, and inputs."""
    source, _ = network("ConvNet", "tflite")
    manager, _ = lowered_edge(source)
    program = manager.exported_program()
    program.graph_module.lowered_module_0._backend_id = "Theirs"
    return program, source.example_inputs


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda *_: 1 / 0, r"lowered_module_0 \(delegate Theirs\): its model failed with ZeroDiv"),
        (lambda *_: [], r"lowered_module_0 \(delegate Theirs\) returned 0 outputs \(accepted: 1"),
        (lambda *_: "text", r"returned a str \(accepted: a tensor or an array"),
        (lambda *_: np.zeros((3, 1)), r"made float64 \[3, 1\] for output 0 \(accepted: float32 \["),
    ],
)
def test_a_wrong_model_is_named(model: Any, message: str) -> None:
    program, inputs = renamed_delegate()
    register("Theirs", model)
    try:
        with pytest.raises(ModelError, match=message):
            run_edge(program, *inputs)
    finally:
        register("Theirs", None)


def test_errors_of_qsim_pass_as_they_are() -> None:
    def refuses(*_: Any) -> Any:
        raise InputError("it is Tuesday")

    program, inputs = renamed_delegate()
    register("Theirs", refuses)
    try:
        with pytest.raises(InputError, match=r"^it is Tuesday$"):
            run_edge(program, *inputs)
    finally:
        register("Theirs", None)
