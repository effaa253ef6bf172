"""Argmax from the graph to integers: positions of codes, the first of equal ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import qsim
from hw_models.argmax import reference
from qsim import Target
from qsim.golden import check, load, record
from qsim.quantizer.pt2 import load_pt2
from qsim.quantizer.quantized import Quantized
from qsim.report.evaluate import Batch, Evaluator
from tests.networks import STATIC

if TYPE_CHECKING:
    from qsim.network.lowered import Lowered
    from qsim.program.attributes import Array

TARGETS = [name for name in STATIC if Target.load(name).has("argmax")]


class Picks(nn.Module):
    """A convolution that copies its channels, a relu, and what picks positions."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.copy = nn.Conv2d(4, 4, 1, bias=False)
        self.copy.weight.data = torch.eye(4).reshape(4, 4, 1, 1)
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(torch.relu(self.copy(x)))


CASES: dict[str, tuple[Callable[[Tensor], Any], list[str]]] = {
    "channels": (lambda y: y.argmax(1), ["argmax"]),
    "last": (lambda y: y.argmax(-1), ["argmax"]),
    "kept": (lambda y: torch.argmax(y, dim=-3, keepdim=True), ["argmax"]),
    "scores": (lambda y: y.flatten(1).argmax(dim=1), ["reshape", "argmax"]),
    "positions of max": (lambda y: torch.max(y, 2)[1], ["argmax"]),
    "kept of max": (lambda y: y.max(dim=-2, keepdim=True).indices, ["argmax"]),
}


def images(count: int = 4) -> Tensor:
    """Return few values, so that maxima are often equal, with both ends of the range."""
    made = torch.randint(-2, 3, (count, 4, 5, 6), generator=torch.Generator().manual_seed(1))
    return made.float()


@cache
def build(name: str, target: str) -> tuple[Quantized, Lowered]:
    module = Picks(CASES[name][0]).eval()
    quantized = qsim.quantize(module, (images(2),), Target.load(target), [images()])
    return quantized, qsim.lower(quantized)


def lowered(function: Callable[[Tensor], Any], target: str, x: Tensor) -> Lowered:
    return qsim.lower(qsim.quantize(Picks(function).eval(), (x,), Target.load(target), [x]))


def codes_read(network: Lowered, x: Tensor) -> tuple[Array, int, bool]:
    """Return the codes that the argmax of a network reads, its axis, and whether it keeps it."""
    (program,) = network.programs
    call = program.calls[-1]
    assert call.primitive == "argmax"
    a: Any = call.attributes
    return network.trace(x)[call.inputs[0]], a["axis"], a["keepdims"]


def by_definition(codes: Array, axis: int, *, keepdims: bool) -> Array:
    """Return the positions that the definition finds in every row."""
    found = np.apply_along_axis(lambda row: reference(row.tolist()), axis, codes)
    return np.expand_dims(found, axis) if keepdims else found


def primitives(network: Lowered) -> list[str]:
    return [call.primitive for program in network.programs for call in program.calls]


def test_targets_with_argmax() -> None:
    assert {"litert-reference", "litert-optimized", "xnnpack", "tosa", "cmsis-nn"} <= {*TARGETS}


@pytest.mark.parametrize(
    ("name", "target"),
    [("scores", name) for name in TARGETS]
    + [(name, "litert-reference") for name in CASES if name != "scores"],
)
def test_positions_are_those_of_the_codes(name: str, target: str) -> None:
    quantized, network = build(name, target)
    assert network.host_operators == ()
    assert primitives(network)[-len(CASES[name][1]) :] == CASES[name][1]
    x = images(5)
    codes, axis, keepdims = codes_read(network, x)
    wanted = by_definition(codes, axis, keepdims=keepdims)
    ties = codes == codes.max(axis, keepdims=True)
    assert (ties.sum(axis) > 1).any(), "the images have no equal maxima"
    found = network(x)
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found.numpy(), wanted)
    np.testing.assert_array_equal(network.trace(x).outputs[0], wanted)
    # torch promises the first of equal maxima too, of the codes and of what they stand for.
    theirs = torch.from_numpy(codes.astype(np.int64)).argmax(axis, keepdim=keepdims)
    assert torch.equal(found, theirs)
    assert torch.equal(found, quantized(x))


def test_positions_have_no_scale() -> None:
    _, network = build("kept", "litert-reference")
    (program,) = network.programs
    spec = program.tensors[program.outputs[0]]
    assert spec.scale is None
    assert (spec.zero_point, spec.format.bits, spec.format.signed) == (0, 64, True)
    (output,) = network.outputs
    assert (output.dtype, output.scale, output.shape) == ("int64", None, spec.shape)
    codes, _, _ = codes_read(network, images())
    source = program.tensors[program.calls[-1].inputs[0]]
    assert source.scale is not None
    assert codes.dtype == source.format.dtype


def test_saturated_codes_are_equal() -> None:
    """What calibration has not seen saturates: values that differ become ties."""
    _, network = build("channels", "litert-reference")
    x = torch.zeros(1, 4, 5, 6)
    x[0, 1], x[0, 2], x[0, 3] = 50.0, 90.0, 70.0
    codes, _, _ = codes_read(network, x)
    assert len(np.unique(codes[0, 1:])) == 1
    assert (network(x) == 1).all()
    assert (network(-x) == 0).all()  # the relu leaves nothing of it


@pytest.mark.parametrize("name", ["channels", "scores"])
def test_batches_threads_and_the_stream_change_nothing(name: str) -> None:
    _, network = build(name, "litert-reference")
    x = images(9)
    whole = network(x)
    single = torch.cat([network(x[i : i + 1]) for i in range(9)])
    assert torch.equal(whole, single)
    (program,) = network.programs
    codes = network.trace(x)[program.inputs[0]]
    interpreted = program.run(codes, trace=lambda *_: None)
    for threads in (1, 2):
        (streamed,) = program.run(codes, threads=threads)
        assert streamed.dtype == np.int64
        np.testing.assert_array_equal(streamed, interpreted[0])
    assert network(x[:0]).shape == (0, *whole.shape[1:])


def test_files_keep_it(tmp_path: Path) -> None:
    quantized, network = build("scores", "litert-reference")
    x = images(3)
    network.save(tmp_path / "net.qsim")
    loaded = qsim.load(tmp_path / "net.qsim")
    assert loaded.outputs == network.outputs
    assert torch.equal(loaded(x), network(x))
    quantized.save_pt2(tmp_path / "net.pt2")
    again = load_pt2(tmp_path / "net.pt2")
    assert isinstance(again, Quantized)
    qsim.lower(again).save(tmp_path / "again.qsim")
    assert (tmp_path / "again.qsim").read_bytes() == (tmp_path / "net.qsim").read_bytes()


def test_integer_io_leaves_positions_alone(tmp_path: Path) -> None:
    network = lowered(lambda y: (y.argmax(1), y), "litert-reference", images())
    bare = network.quantized_io()
    assert [(o.dtype, o.scale is None) for o in bare.outputs] == [("int64", True), ("int8", False)]
    (taken,) = bare.inputs
    codes = np.random.default_rng(0).integers(-128, 128, (3, 4, 5, 6)).astype(taken.dtype)
    positions, values = bare(codes)
    np.testing.assert_array_equal(positions, values.argmax(1))
    bare.save(tmp_path / "bare.qsim")
    again = qsim.load(tmp_path / "bare.qsim")(codes)
    np.testing.assert_array_equal(again[0], positions)


def test_a_golden_set_holds_positions(tmp_path: Path) -> None:
    _, network = build("channels", "litert-reference")
    x = images(2)
    record(network, x, tmp_path / "set")
    (case,) = [c for c in load(tmp_path / "set").cases if c.primitive == "argmax"]
    np.testing.assert_array_equal(case.expected, network(x).numpy())
    results = check(tmp_path / "set").results
    assert [r.mismatch for r in results if r.primitive == "argmax"] == [None]


def test_all_of_a_fixed_size_is_one_dimension() -> None:
    """Without a dimension torch searches everything, the batch too: its size must be fixed."""
    for keepdims in (False, True):
        x = images(2)

        def everything(y: Tensor, keepdims: bool = keepdims) -> Tensor:
            return y.argmax(None, keepdims)

        network = lowered(everything, "litert-reference", x)
        assert network.host_operators == ()
        assert primitives(network)[-2:] == ["reshape", "argmax"]
        relu = network.trace(x)["relu"]
        found = network(x)
        assert found.shape == ((1, 1, 1, 1) if keepdims else ())
        assert int(found) == reference(relu.reshape(-1).tolist())
        assert network.trace(x).tensors["argmax"].shape == found.shape


def test_host_operators_read_positions() -> None:
    network = lowered(lambda y: nn.functional.one_hot(y.argmax(1), 4) * 2, "tosa", images())
    assert [item.operator for item in network.host_operators][:1] == ["aten.one_hot.default"]
    x = images(3)
    winners = network.trace(x)["argmax"]
    np.testing.assert_array_equal(network(x).numpy(), 2 * np.eye(4, dtype=np.int64)[winners])


def test_an_operator_behind_positions_is_quantized_again() -> None:
    network = lowered(lambda y: torch.relu(y.argmax(1).float() - 1.0), "litert-reference", images())
    assert len(network.programs) == 2
    x = images(3)
    expected = np.maximum(network.trace(x)["argmax"] - 1.0, 0.0)
    np.testing.assert_allclose(network(x).numpy(), expected, atol=0.02)


HOST = [
    (lambda y: y + y.argmax(0, keepdim=True).float(), "it searches the batch"),
    (lambda y: y.sum((1, 2, 3)) + y.argmax() * 0, "it searches the batch"),
    (
        lambda y: y.double().argmax(1),
        "it reads float64; the primitives take activations in float32",
    ),
    (lambda y: torch.cumsum(y, 1).argmax(1), "nothing before it computes in integers"),
]


@pytest.mark.parametrize(("function", "reason"), HOST)
def test_what_stays_on_the_host_says_why(function: Callable[[Tensor], Any], reason: str) -> None:
    network = lowered(function, "litert-reference", images(2))
    reasons = {item.operator: item.reason for item in network.host_operators}
    assert reason in reasons["aten.argmax.default"]
    assert "argmax" not in primitives(network)


def test_a_target_without_argmax_says_so() -> None:
    contract = Target.load("tosa").to_dict()
    available = contract["primitives"]["available"]
    contract["primitives"]["available"] = [name for name in available if name != "argmax"]
    x = images()
    module = Picks(CASES["positions of max"][0]).eval()
    network = qsim.lower(qsim.quantize(module, (x,), Target.from_dict(contract), [x]))
    (host,) = network.host_operators
    assert (host.operator, host.reason) == (
        "aten.argmax.default",
        "target tosa has no argmax",
    )
    np.testing.assert_array_equal(network(x).numpy(), network.trace(x)["relu.real"].argmax(2))


def test_values_and_positions_of_max_stay_together() -> None:
    network = lowered(lambda y: torch.max(y, 1), "tosa", images())
    assert [item.operator for item in network.host_operators] == ["aten.max.dim"]
    x = images(3)
    values, positions = network(x)
    relu = network.trace(x)["relu.real"]
    assert torch.equal(values, torch.from_numpy(relu).amax(1))
    np.testing.assert_array_equal(positions.numpy(), relu.argmax(1))


def test_accuracy_of_a_model_that_returns_positions() -> None:
    quantized, network = build("scores", "litert-reference")
    x = images(6)
    right = network(x).numpy()
    labels = np.where(np.arange(6) < 4, right, right + 1)
    evaluator = Evaluator(network, quantized)
    evaluator.add(Batch((x.numpy(),), (x.numpy(),), labels))
    result = evaluator.result()
    assert result.accuracy["hardware"] == 4 / 6
    assert result.agreement["qdq"] == 1.0
