"""The Python of docs/executorch.md runs as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import pytest
import torch

import qsim
from qsim.executorch import Pte, QsimPartitioner, export, load, register, run_edge, to_edge
from qsim.graph import quiet
from tests.docs.conftest import Example
from tests.docs.shown import Blocks
from tests.qsim.executorch import arm
from tests.qsim.states import decoder

PAGE = "docs/executorch.md"
SHOWN = Blocks([PAGE])
ELSEWHERE = {
    (PAGE, "# example"): "tests/qsim/executorch/delegates/test_delegates.py",
    (PAGE, "# bundled example"): "tests/qsim/executorch/bundled/test_docs.py",
}
NOT_RUN = {
    (
        PAGE,
        "from executorch.backends.arm.quantizer import",
    ): "a sketch; tests/qsim/executorch/vendors/test_tosa_delegates.py goes both ways",
}
shown = SHOWN.example
pytestmark = pytest.mark.usefixtures("one_thread")


class Net(torch.nn.Module):
    """A convolution with a relu. Takes images [N, 1, 6, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x))


class Scaled(torch.nn.Module):
    """A product with an input that has a name."""

    def forward(self, x: torch.Tensor, *, scale: torch.Tensor) -> torch.Tensor:
        return torch.relu(x * scale)


class Relu(torch.nn.Module):
    """The smallest program."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x)


@dataclass(frozen=True)
class Networks:
    """A small network, float and quantized for TFLite's target; a batch of images for it."""

    model: torch.nn.Module = field(default_factory=lambda: _seeded(Net))
    x: torch.Tensor = field(default_factory=lambda: _images(2))
    target: qsim.Target = field(default_factory=lambda: qsim.Target.load("tflite"))

    @property
    def quantized(self) -> qsim.Quantized:
        """The Q/DQ graph."""
        return qsim.quantize(self.model, (self.x,), self.target)


def _seeded(network: type[torch.nn.Module]) -> torch.nn.Module:
    torch.manual_seed(0)
    return network().eval()


def _images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(count))


@pytest.fixture(scope="module")
def net() -> Networks:
    return Networks()


def lowered_by(example: Example, net: Networks) -> dict[str, Any]:
    """Return what the page's first example makes, of a network with integers inside."""
    from executorch.exir import to_edge_transform_and_lower

    return {
        "to_edge_transform_and_lower": to_edge_transform_and_lower,
        "QsimPartitioner": QsimPartitioner,
        "program": export(net.quantized),
        "target": net.target,
    }


@shown(PAGE, "partitioner = QsimPartitioner(target)")
def test_delegates(example: Example, net: Networks, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"model": net.model, "example_inputs": (net.x,), "batches": [(net.x,)]}
    result = example.run(**names)
    assert len(result["partitioner"].report.regions) == 1
    assert capsys.readouterr().out.strip()
    expected = qsim.lower(result["quantized"])(net.x)
    assert torch.equal(run_edge(result["edge"], net.x), expected)


@shown(PAGE, "config = {")
def test_integers(example: Example, net: Networks) -> None:
    codes = torch.randint(-128, 128, (3, 1, 6, 6), dtype=torch.int8)
    result = example.run(model=net.model, example_inputs=(net.x,), codes_in=codes, qsim=qsim)
    assert result["codes_out"].dtype == torch.int8
    assert torch.equal(load("net.pte")(codes), result["codes_out"])
    (found,) = result["qparams"](load("net.pte"))["inputs"]
    assert repr(found) in example.code


@shown(PAGE, "edge = edge.transform(")
def test_executorchs_own_passes(example: Example, net: Networks) -> None:
    result = example.run(**lowered_by(example, net))
    codes = torch.zeros(net.x.shape, dtype=torch.int8)
    assert run_edge(result["edge"], codes).dtype == torch.int8


@shown(PAGE, "edge = executorch.exir.to_edge(torch.export.export(Relu()")
def test_torch_cannot_read_edge_operators(
    example: Example, caplog: pytest.LogCaptureFixture
) -> None:
    with quiet():
        import executorch.exir

    names = {"executorch": executorch, "torch": torch, "Relu": Relu}
    with pytest.raises(RuntimeError, match="error when deserializing"):
        example.run(**names)
    assert "failed to resolve executorch.exir.dialects.edge._ops.aten.relu.default" in caplog.text


@shown(PAGE, "y = run_edge(edge, x)")
def test_run_edge(example: Example, net: Networks) -> None:
    first, _, by_name = example.code.partition("y = run_edge(edge, x, keywords=")
    assert by_name
    plain = to_edge(net.quantized).manager
    result = example.run(first, edge=plain, x=net.x)
    assert torch.equal(result["y"], qsim.lower(net.quantized)(net.x))
    x, scale = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 3.0])
    with quiet():
        import executorch.exir

        edge = executorch.exir.to_edge(torch.export.export(Scaled(), (x,), {"scale": scale}))
    code = f"from qsim.executorch import run_edge\ny = run_edge(edge, x, keywords={by_name}"
    result = example.run(code, edge=edge, x=x, s=scale)
    assert result["y"].tolist() == [3.0, 0.0]


@shown(PAGE, 'pte = qsim.executorch.load("net.pte")')
def test_run_a_program(example: Example, net: Networks) -> None:
    to_edge(net.quantized).save("net.pte")
    result = example.run(x=net.x)
    assert torch.equal(result["y"], qsim.lower(net.quantized)(net.x))


@shown(PAGE, 'lengths = {"tokens": {1: (1, 8)}')
def test_any_length(example: Example) -> None:
    model = decoder.module(8)
    words = decoder.tokens(8)
    steps = [(words, torch.arange(8))]
    given = {"decoder": model, "steps": steps, "target": decoder.TARGET, "prompt": words[:, :5]}
    result = example.run(qsim=qsim, torch=torch, Pte=Pte, to_edge=to_edge, **given)
    session = qsim.lower(result["quantized"]).session()
    session(words[:, :5], torch.arange(5))
    assert torch.equal(result["scores"], session(torch.tensor([[7]]), torch.tensor([5])))


@shown(PAGE, 'found = compare(load("net.pte"), load("other.pte"), x)')
def test_compare(example: Example, net: Networks, capsys: pytest.CaptureFixture[str]) -> None:
    edge = to_edge(net.quantized)
    edge.save("net.pte")
    edge.save("other.pte")
    result = example.run(x=net.x, quantized=net.quantized)
    assert "output 0" in capsys.readouterr().out
    assert result["found"].rows


@pytest.fixture
def reference_model() -> Iterator[None]:
    try:
        metadata.distribution("tosa-tools")
    except metadata.PackageNotFoundError:
        pytest.skip("tosa-tools is not installed")
    yield
    register("TOSABackend", None)


@shown(PAGE, "tosa.register()")
def test_tosa(example: Example, net: Networks, reference_model: None) -> None:
    graph = arm.quantize(net.model, [(net.x,)])
    with quiet():
        import executorch.kernels.quantized  # noqa: F401 - its operators, for the boundary

        data = arm.arm_edge(graph).to_executorch().buffer
    (example.folder / "arm.pte").write_bytes(data)
    result = example.run(x=net.x)
    assert result["y"].shape == (2, 2, 4, 4)


def test_every_block_is_accounted_for() -> None:
    SHOWN.check(ELSEWHERE, NOT_RUN)
