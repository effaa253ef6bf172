"""A prepared host operator: the results of the plain way, and nothing let through unasked."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import qsim
from qsim.errors import InputError, ModelError
from qsim.network import hostcall
from qsim.network.hostcall import HostCall
from qsim.network.hostops import run_torch_step

X = torch.linspace(-3, 3, 24).reshape(2, 3, 4)
LEAST = torch.iinfo(torch.int64).min


def step(operator: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"operator": operator, "args": list(args), "kwargs": kwargs}


def value(name: str) -> dict[str, str]:
    return {"tensor": name}


def test_it_computes_what_the_plain_way_does() -> None:
    weight = torch.linspace(0.5, 1.5, 4).numpy()
    norm = step("aten.layer_norm.default", value("x"), [4], {"constant": "w"}, None, 1e-5)
    both = step("aten.cat.default", [value("x"), value("y"), value("x")], 1)
    filled = step("aten.full_like.default", value("x"), {"float": "-inf"}, dtype={"dtype": "int8"})
    for attributes in (norm, both, filled):
        call = HostCall(attributes, {"w": weight})
        for x in (X, X[:1], X.numpy(), X.transpose(0, 1)[:2], X + 1):
            values = {"x": x, "y": torch.ones(x.shape)}
            try:
                wanted = run_torch_step(attributes, values, {"w": weight})
            except ModelError as error:
                with pytest.raises(ModelError, match=error.message):
                    call(values)
                continue
            for _ in range(2):
                assert torch.equal(call(values), wanted)
    assert torch.equal(X, torch.linspace(-3, 3, 24).reshape(2, 3, 4))


def test_shapes_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(*arguments: Any) -> Any:
        asked.append(arguments[1]["x"].shape)
        return run_torch_step(*arguments)

    monkeypatch.setattr(hostcall, "run_torch_step", counted)
    call = HostCall(step("aten.relu.default", value("x")), {})
    for x in (X, X + 1, X[:1], X, X.double(), X[:1] * 2):
        assert torch.equal(call({"x": x}), x.relu())
    assert asked == [X.shape, X[:1].shape, X.shape]


@pytest.mark.parametrize(
    ("attributes", "good", "bad", "words"),
    [
        (step("aten.repeat_interleave.self_Tensor", value("x"), value("n"), 0),
         {"x": X, "n": torch.tensor([1, 2])}, {"x": X, "n": torch.tensor([1, 1 << 40])},
         "it would make a tensor of"),
        (step("aten.div.Tensor_mode", value("x"), value("n"), rounding_mode="trunc"),
         {"x": torch.tensor([4]), "n": torch.tensor([-1])},
         {"x": torch.tensor([LEAST]), "n": torch.tensor([-1])}, "does not fit int64"),
        (step("aten.repeat.default", value("x"), [value("n"), 1, 1]), {"x": X, "n": 2},
         {"x": X, "n": 1 << 30}, "it would make a tensor of"),
        (step("aten.embedding.default", value("x"), value("n")),
         {"x": X[0], "n": torch.tensor([0, 2])}, {"x": X[0], "n": torch.tensor([0, 3])},
         r"default: an index must be a row .*not 3 at index \(1,\) \(accepted: 0\.\.2\)$"),
        (step("aten.index_copy.default", value("x"), 1, value("n"), value("new")),
         {"x": X, "n": torch.tensor([0, 2]), "new": X[:, :2]},
         {"x": X, "n": torch.tensor([2, 3]), "new": X[:, :2]},
         r"default: .*the cache is full: .* of the 3 .*not 3 of new row 1 \(accepted: 0\.\.2;"),
    ],
)  # fmt: skip
def test_a_later_call_may_still_be_refused(
    attributes: dict[str, Any], good: dict[str, Any], bad: dict[str, Any], words: str
) -> None:
    call = HostCall(attributes, {}, "blocks.3")
    with pytest.raises((ModelError, InputError), match=words) as first:
        call(bad)
    for _ in range(2):
        call(good)
    with pytest.raises(type(first.value), match=words) as caught:
        call(bad)
    assert str(caught.value) == str(first.value)
    assert str(caught.value).startswith(
        f"layer 'blocks.3', host operator {attributes['operator']}: "
    )


def test_a_network_names_the_layer_of_its_embedding() -> None:
    class Words(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.positions = torch.nn.Embedding(4, 3)
            self.words = torch.nn.Embedding(5, 3)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.words(words) + self.positions(words % 4)
            return made

    given = torch.tensor([[1, 4]])
    network = qsim.lower(qsim.quantize(Words().eval(), given, qsim.Target.load("tflite")))
    with pytest.raises(InputError, match=r"^layer 'words', .* not 5 at index \(0, 1\).*0\.\.4\)$"):
        network(given + 1)
