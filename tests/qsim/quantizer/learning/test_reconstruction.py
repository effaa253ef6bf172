"""Parts of networks, and what is learned of them: it survives conversion, and interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import qsim
from qsim.quantizer.learning.fakes import Fake, FakeBias, FakeWeight
from qsim.quantizer.learning.reconstruction.fisher import fisher
from qsim.quantizer.learning.reconstruction.parts import compute, parts
from qsim.quantizer.settings import ROUNDINGS, Reconstruction
from tests.qsim.quantizer.learning.network import samples, small

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.quantizer import Quantized
    from qsim.quantizer.learning import Progress


class Depthwise(nn.Module):
    """A depthwise-separable block behind a stem."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.deep = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.wide, self.norm = nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, 1, 6, 6]`` to ``[N, 4]``."""
        y = torch.relu(self.deep(torch.relu(self.stem(x))))
        return torch.relu(self.norm(self.wide(y))).mean(dim=(2, 3))


class Two(nn.Module):
    """Two inputs that meet in a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.head = nn.Linear(6, 4), nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Map ``[N, 6]`` and ``[N, 3]`` to ``[N, 2]``."""
        logits: torch.Tensor = self.head(torch.relu(self.left(x) + self.right(y)))
        return logits


class Block(nn.Module):
    """A transformer's block whose batch is written into its shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(4, 4) for _ in range(3))
        self.out, self.norm, self.up = nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 8)
        self.down = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[8, 3, 4]`` to the same."""
        scores = (self.query(x) @ self.key(x).transpose(1, 2)).softmax(-1)
        y = self.norm(x + self.out((scores @ self.value(x)).reshape(8, 3, 4)))
        made: torch.Tensor = y + self.down(torch.relu(self.up(y)))
        return made


def _drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def _seeded(kind: type[nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind().eval()


# What a network is called with; its parts as brecq and as adaround have them: weights of each.
CASES: dict[str, tuple[nn.Module, tuple[torch.Tensor, ...], list[int], list[int]]] = {
    "residual": (small(), (samples()[0],), [1, 1, 1], [1, 1, 1]),
    "depthwise": (_seeded(Depthwise), (_drawn(16, 1, 6, 6),), [1, 1, 1], [1, 1, 1]),
    "two": (_seeded(Two), (_drawn(16, 6), _drawn(16, 3)), [2, 1], [1, 1, 1]),
    "block": (_seeded(Block), (_drawn(8, 3, 4),), [4, 2], [1] * 6),
}


def _quantized(
    case: str,
    algorithm: str,
    *,
    checkpoint: Path | None = None,
    stop: int = -1,
    seen: list[int] | None = None,
    iterations: int = 6,
) -> Quantized:
    model, batch, _, _ = CASES[case]
    config = {
        "default": {"weight_bits": 3},
        "reconstruction": {
            "algorithm": algorithm, "iterations": iterations, "batch": 5, "learning_rate": 1.0
        },
    }  # fmt: skip

    def watch(progress: Progress) -> None:
        if seen is not None:
            seen.append(progress.done)
        if progress.done == stop:
            raise KeyboardInterrupt

    return qsim.quantize(
        model, batch, qsim.Target.load("tflite"), [batch], config,
        watch=watch, checkpoint=checkpoint,
    )  # fmt: skip


def _codes(quantized: Quantized) -> list[torch.Tensor]:
    """Return the codes of the weights in a converted graph, in the order of their use."""
    found = []
    for node in quantized.graph.graph.nodes:
        if "dequantize" in str(node.target) and node.args[0].op == "get_attr":
            codes = getattr(quantized.graph, str(node.args[0].target))
            if codes.dim() > 1:
                found.append(codes)
    return found


def _pairs() -> list[Any]:
    """Return every algorithm with one network, and one with every network; the others later."""
    first = next(iter(CASES))
    return [
        pytest.param(
            case, algorithm, marks=[] if case == first or algorithm == "qdrop" else pytest.mark.soak
        )
        for case in CASES
        for algorithm in ROUNDINGS
    ]


@pytest.mark.parametrize(("case", "algorithm"), _pairs())
def test_what_is_learned_survives_conversion(case: str, algorithm: str) -> None:
    _, batch, _, _ = CASES[case]
    quantized = _quantized(case, algorithm)
    fake = quantized.fake_graph
    assert fake is not None
    with torch.no_grad():
        assert torch.equal(fake(*batch), quantized(*batch))
    modules = [fake.get_submodule(str(n.target)) for n in fake.graph.nodes if n.op == "call_module"]
    learned = [m.learned for m in modules if isinstance(m, FakeWeight)]
    codes = _codes(quantized)
    assert len(codes) == len(learned) > 1
    rounded = _codes(qsim.quantize(
        CASES[case][0], batch, qsim.Target.load("tflite"), [batch], {"default": {"weight_bits": 3}}
    ))  # fmt: skip
    for made, each in zip(codes, learned, strict=True):
        up = each.rounding >= 0
        low, high = each.coding.quant_min, each.coding.quant_max
        assert torch.equal(made.float(), (each._floor + up).clamp(low, high))
    assert any(not torch.equal(made, plain) for made, plain in zip(codes, rounded, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_every_weight_is_of_one_part(case: str) -> None:
    """And a part computed from what earlier ones made is what the whole graph makes."""
    _, batch, blocks, layers = CASES[case]
    graph = _quantized(case, "adaround", iterations=1).fake_graph
    assert graph is not None
    names = [node for node in graph.graph.nodes if node.op == "placeholder"]
    for algorithm, wanted in (("brecq", blocks), ("adaround", layers)):
        found = parts(graph, Reconstruction(algorithm=algorithm))
        assert [len(each.weights) for each in found] == [*wanted, 0]
        values: dict[Any, Any] = dict(zip(names, batch, strict=True))
        for each in found:
            assert each.reads <= values.keys()
            compute(graph, each, values)
        last = values[found[-1].nodes[-1]]
        assert torch.equal(last[0] if isinstance(last, tuple) else last, graph(*batch))


@pytest.mark.parametrize("algorithm", ROUNDINGS)
def test_an_interrupted_reconstruction_ends_as_one_that_was_not(
    tmp_path: Path, algorithm: str
) -> None:
    kept = tmp_path / "rounding.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        _quantized("residual", algorithm, checkpoint=kept, stop=9)  # in the second part of three
    steps: list[int] = []
    batch = CASES["residual"][1]
    resumed = _quantized("residual", algorithm, checkpoint=kept, seen=steps)
    whole = _quantized("residual", algorithm)
    assert steps[0] == 7
    assert resumed.digest == whole.digest
    assert torch.equal(resumed(*batch), whole(*batch))


def test_training_and_reconstruction_are_refused_together() -> None:
    config = {"training": {}, "reconstruction": {}}
    x, labels = samples()
    with pytest.raises(qsim.UsageError, match="both are there") as refused:
        qsim.quantize(
            small(), x[:2], qsim.Target.load("tflite"), [x], config, training=(x, labels)
        )  # fmt: skip
    assert refused.value.where == "config.training, config.reconstruction"


class Counting(nn.Module):
    """A linear that keeps what it saw last."""

    last: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.register_buffer("last", torch.zeros(2, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[2, 4]`` to ``[2, 2]``."""
        made: torch.Tensor = self.head(x + self.last)
        self.last.copy_(x)
        return made


def test_networks_with_states_or_lengths_are_refused() -> None:
    target, config = qsim.Target.load("integer-transformer"), {"reconstruction": {}}
    x = _drawn(2, 4)
    with pytest.raises(qsim.UsageError, match="states") as refused:
        qsim.quantize(Counting().eval(), x, target, [x], config)
    assert refused.value.where == "config.reconstruction"
    lengths = {"input": {1: torch.export.Dim("length", min=2, max=4)}}
    with pytest.raises(qsim.UsageError, match="one length") as refused:
        qsim.quantize(
            nn.Sequential(nn.Linear(4, 2)).eval(), _drawn(2, 3, 4), target, config=config,
            lengths=lengths,
        )  # fmt: skip
    assert refused.value.where == "config.reconstruction"


class Scores(nn.Module):
    """Two layers, the second of which makes scores of classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(4, 3), nn.Linear(3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, 4]`` to ``[N, 5]``."""
        logits: torch.Tensor = self.head(torch.relu(self.body(x)))
        return logits


def test_fisher_weights_are_squared_gradients_of_a_drawn_class() -> None:
    """``d log p(y) / dz = (onehot(y) - p) W`` of a linear ``W z + b`` behind z."""
    model, x = _seeded(Scores), _drawn(7, 4)
    graph = qsim.quantize(
        model, x, qsim.Target.load("tflite"), [x], {"reconstruction": {"iterations": 1}}
    ).fake_graph
    assert graph is not None
    for each in graph.modules():
        if isinstance(each, (Fake, FakeBias)):
            each.off = True
    found = parts(graph, Reconstruction(algorithm="brecq"))
    names = [node for node in graph.graph.nodes if node.op == "placeholder"]
    values: dict[Any, Any] = dict(zip(names, (x,), strict=True))
    compute(graph, found[0], values)
    result = found[0].result
    assert result is not None
    weight = fisher(graph, found[1:], result, values, torch.Generator().manual_seed(3))
    held = [each for name, each in graph.named_parameters() if "learned" not in name]
    by_shape = {tuple(each.shape): each for each in held}  # as they are rounded
    with torch.no_grad():
        z = torch.relu(x @ by_shape[3, 4].T + by_shape[3,])
        p = (z @ by_shape[5, 3].T + by_shape[5,]).softmax(1)
        drawn = torch.multinomial(p, 1, generator=torch.Generator().manual_seed(3)).flatten()
        slope = (torch.eye(5)[drawn] - p) @ by_shape[5, 3]
    assert torch.allclose(values[result], z, rtol=1e-5, atol=1e-6)
    wanted = slope.square()
    assert torch.allclose(weight, wanted / wanted.mean(), rtol=1e-4, atol=1e-6)
