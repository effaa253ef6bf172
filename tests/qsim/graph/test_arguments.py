"""What a model takes by name or nested, and what it returns besides tensors."""

from __future__ import annotations

import collections
import dataclasses
import re
from typing import Any

import pytest
import torch
from torch import nn

import qsim
from qsim.graph import capture, check_inputs

TFLITE = qsim.Target.load("tflite")
X, Y = torch.linspace(-1, 1, 24).reshape(4, 6), torch.linspace(2, -2, 24).reshape(4, 6)


@dataclasses.dataclass
class Found:
    first: Any
    second: Any = None
    third: Any = None


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Any, extra: Any = None, *, doubled: bool = False, **more: Any) -> Any:
        tensors = x if isinstance(x, dict) else {"a": x}
        y = self.fc(tensors["a"])
        if extra is not None:
            y = y + self.fc(extra)
        y = y * 2 if doubled else y
        nested = collections.OrderedDict(z=y + 1, none=None)
        return Found(y, third=[nested, *(self.fc(each) for each in more.values())])


CALLS: dict[str, tuple[Any, tuple[str, ...], Any]] = {
    "by name": ({"extra": Y, "x": X}, ("extra", "x"), {"x": X, "extra": Y}),
    "a flag": ({"x": X, "extra": None, "doubled": True}, ("x",), {"x": X}),
    "a dict": (({"a": X}, Y), ("x_a", "extra"), ({"a": X}, Y)),
    "none by position": ((X, None), ("x",), (X, None)),
    "of any name": ({"x": X, "other": Y}, ("x", "other"), {"other": Y, "x": X}),
}


def called(model: nn.Module, inputs: Any) -> Any:
    return model(**inputs) if isinstance(inputs, dict) else model(*inputs)


@pytest.mark.parametrize("case", CALLS)
def test_tensors_are_inputs_and_all_else_is_fixed(case: str) -> None:
    model, (inputs, names, batch) = Net().eval(), CALLS[case]
    arguments = check_inputs(model, inputs)
    assert arguments.names == names
    flat = arguments.flat(batch, "calibration[0]")
    assert all(map(torch.equal, flat, arguments.tensors))
    program, batched, fixed = capture(model, arguments)
    assert batched, fixed
    assert tuple(program.graph_signature.user_inputs) == names
    with torch.no_grad():
        found = program.module(check_guards=False)(*flat)
        assert torch.equal(found.first, called(model, inputs).first)
    assert "forward" not in vars(model)


def test_outputs_come_back_nested_by_name_and_none_as_none() -> None:
    lowered = qsim.lower(qsim.quantize(Net().eval(), {"x": X, "other": Y}, TFLITE))
    found = lowered(X, other=Y)
    assert found.second is None
    assert list(found) == ["first", "third", "second"]
    nested, other = found.third
    assert (list(nested), nested["none"]) == (["z", "none"], None)
    assert nested["z"].shape == other.shape == found.first.shape
    with pytest.raises(AttributeError, match="returned no 'fourth', but first, third, second"):
        _ = found.fourth
    with pytest.raises(qsim.InputError, match="must be the rest"):
        lowered(X, another=Y)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"x": X}, "lacks extra"),
        ({"x": X, "extra": Y, "z": X}, "has z, which no input is"),
        ({"x": X, "extra": Y, "doubled": True}, "has doubled = True"),
    ],
)
def test_calibration_of_another_form_is_refused(batch: Any, message: str) -> None:
    inputs = {"x": X, "extra": Y, "doubled": False}
    with pytest.raises(qsim.UsageError, match=message):
        qsim.quantize(Net().eval(), inputs, TFLITE, [batch])


class Fixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) + 1  # type: ignore[no-any-return]


class Inner(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(4, 3, 2)


class Summed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(0, keepdim=True)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            Fixed(),
            r"^at inner \(test_arguments\.py:\d+\): `return x\.view\(4, 3, 2\)` takes its size",
        ),
        (Summed(), r"^output 0 of shape \(1, 6\) has no batch in dimension 0$"),
    ],
)
def test_a_fixed_batch_is_told_with_what_fixes_it(model: nn.Module, reason: str) -> None:
    captured = capture(model, X)
    assert not captured.batch
    assert re.search(reason, captured.fixed), captured.fixed
