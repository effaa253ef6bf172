"""Small models, one question each: results, refusals, and what is lowered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from torch.utils import _pytree as pytree

import qsim
from qsim import Target
from qsim.errors import ModelError, QsimError
from qsim.network.lowered import Lowered
from tests.qsim.program.reading import host


class Net(nn.Module):
    """A linear and whatever a test does with it."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.fc = nn.Linear(4, 4)
            self.conv = nn.Conv2d(2, 2, 3)


def lower_one(model: nn.Module, *shape: int) -> Lowered:
    x = torch.linspace(-1, 1, int(np.prod((2, *shape)))).reshape(2, *shape)
    return qsim.lower(qsim.quantize(model, (x,), Target.load("tflite")))


def test_nested_outputs_come_back_nested(tmp_path: Path) -> None:
    class Nested(Net):
        def forward(self, x: Tensor) -> dict[str, Any]:
            y = self.fc(x)
            return {"z": y, "a": [F.relu(y), (x,)], "one": (y,)}

    x = torch.linspace(-1, 1, 12).reshape(3, 4)
    network = lower_one(Nested(), 4)
    wanted = pytree.tree_structure(Nested()(x))
    network.save(tmp_path / "nested.qsim")
    for found in (network(x), qsim.load(tmp_path / "nested.qsim")(x)):
        assert pytree.tree_structure(found) == wanted
        assert list(found) == ["z", "a", "one"]
    assert torch.equal(network(x)["a"][1][0], x)


def test_a_single_output_in_a_tuple_stays_in_it() -> None:
    class One(Net):
        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (self.fc(x),)

    assert isinstance(lower_one(One(), 4)(torch.zeros(1, 4)), tuple)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (lambda y: {1: y}, "the model returns a dict whose keys are not text"),
        (lambda y: (y, 3), "the model returns 3 as output 1"),
        (lambda y: (), "the model returns no tensor"),
        (lambda y: (y, torch.ones(3)), "output 1 of the model depends on no input"),
        (lambda y: y if y.sum() > 0 else -y, "cannot be exported: GuardOnDataDependent"),
        (lambda y: y * y.max().item(), "makes a number, or a size, that depends on values"),
        (lambda y: F.dropout(y, 0.5, training=True), "aten.dropout.default draws random numbers"),
        (lambda y: y + torch.rand_like(y), "aten.rand_like.default draws random numbers"),
    ],
)
def test_what_no_network_can_return_is_one_line(outputs: Any, message: str) -> None:
    class Odd(Net):
        def forward(self, x: Tensor) -> Any:
            return outputs(self.fc(x))

    with pytest.raises(ModelError, match=message) as caught:
        lower_one(Odd(), 4)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_buffer_that_counts_is_a_state() -> None:
    class Counting(Net):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            self.seen += 1
            return self.fc(x) + self.seen

    session = lower_one(Counting(), 4).session()
    for _ in range(3):
        session(torch.zeros(session.network.inputs[0].shape))
    (state,) = session.network.states
    seen = session.states["seen"]
    assert state.name == "seen"
    assert state.value.scale is not None
    assert (seen > state.value.zero_point).all()


def test_bfloat16_is_refused_in_one_line() -> None:
    model = nn.Linear(4, 4).bfloat16()
    x = torch.zeros(2, 4, dtype=torch.bfloat16)
    with pytest.raises(QsimError, match="it is bfloat16, for which NumPy has no type"):
        qsim.lower(qsim.quantize(model, (x,), Target.load("tflite")))


def test_zeros_and_positions_are_constants() -> None:
    class Positions(Net):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.fc(x + self.table(torch.arange(x.shape[1])))
            return torch.cat([torch.zeros(x.shape[0], 1, 4), y], 1)

    network = lower_one(Positions(), 3, 4)
    assert network.host_operators == ()
    assert network(torch.zeros(5, 3, 4)).shape == (5, 4, 4)


def test_a_recurrent_layer_leaves_nothing_to_torch() -> None:
    class Recurrent(Net):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(4, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.gru(x)[0][:, -1])

    network = lower_one(Recurrent(), 5, 4)
    assert not host(network)
    assert network(torch.zeros(3, 5, 4)).shape == (3, 4)


@pytest.mark.parametrize(
    "move",
    [
        lambda y: y @ y.mT,
        lambda y: y.swapaxes(1, 2).flatten(1),
        lambda y: y.movedim(1, -1),
        lambda y: torch.moveaxis(y, (1, 2), (2, 1)),
        lambda y: y.unflatten(-1, (2, 2)),
        lambda y: y[:, :, :],
    ],
)
def test_every_spelling_of_a_reordering_is_lowered(move: Any) -> None:
    class Moved(Net):
        def forward(self, x: Tensor) -> Tensor:
            return move(self.fc(x))

    network = lower_one(Moved(), 3, 4)
    assert network.host_operators == ()
    x = torch.linspace(-1, 1, 24).reshape(2, 3, 4)
    with torch.no_grad():
        wanted = Moved()(x)
    assert network(x).shape == wanted.shape
    assert float((network(x) - wanted).abs().max()) < 0.03
    assert torch.equal(network(torch.cat([x, x, x]))[2:4], network(x))


def test_a_vector_without_a_batch_stays_in_torch() -> None:
    class Vector(Net):
        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x.reshape(4))

    network = qsim.lower(
        qsim.quantize(Vector(), torch.linspace(-1, 1, 4).reshape(2, 2), Target.load("tflite"))
    )
    assert host(network) == {
        "linear.default": "its input has one dimension; linear takes 2 or more"
    }


def test_inputs_of_two_batch_sizes_are_not_taken_for_one() -> None:
    class Outer(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return F.relu(x) @ F.relu(y).t()

    x, y = torch.linspace(-1, 1, 8).reshape(2, 4), torch.linspace(0, 1, 8).reshape(2, 4)
    graph = qsim.quantize(Outer(), (x, y), Target.load("tflite"))
    assert not graph.batch
    network = qsim.lower(graph)
    assert network.host_operators == ()
    assert network(x, y).shape == (2, 2)


def test_a_plain_convolution_with_computed_weights_is_not_called_transposed() -> None:
    class Computed(Net):
        def forward(self, x: Tensor) -> Tensor:
            ones, zeros = [1, 1], [0, 0]
            y, weight = self.conv(x), self.fc(x)[:2]
            return torch.convolution(y, weight, None, ones, ones, ones, False, zeros, 1)

    network = lower_one(Computed(), 2, 4, 4)
    assert host(network)["convolution.default"] == (
        "its weight or bias is computed at run time; correlation takes constants"
    )
