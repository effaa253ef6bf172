"""Buffers that models write into are states: rings, delay lines, counters, hidden states."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qsim

Step = tuple[torch.Tensor, ...]


class Kept(nn.Module):
    """A linear layer in front, and buffers of these shapes."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))


class DelayLine(Kept):
    """A filter that reads samples of the step before."""

    def __init__(self) -> None:
        super().__init__(line=(1, 2, 4))
        self.filter = nn.Conv1d(2, 3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.cat([self.line, x], 2)
        self.line.copy_(y[:, :, -4:])
        return torch.relu(self.filter(y))


class Shifted(Kept):
    """A window whose rows move on by one."""

    def __init__(self) -> None:
        super().__init__(window=(1, 3, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.window[:, :-1] = self.window[:, 1:].clone()
        self.window[:, -1:] = x
        return self.first(self.window)


class Hidden(Kept):
    """An LSTM cell whose states stay in buffers."""

    def __init__(self) -> None:
        super().__init__(h=(1, 4), c=(1, 4))
        self.cell = nn.LSTMCell(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, c = self.cell(x, (self.h, self.c))
        self.h.copy_(h)
        self.c.copy_(c)
        return self.first(h)


class Smoothed(Kept):
    """A running mean, and a counter of steps that the host keeps."""

    def __init__(self) -> None:
        super().__init__(mean=(1, 4))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.mean.mul_(0.75).add_(0.25 * self.first(x))
        self.count += 1
        return self.first(self.mean), self.count


class Ring(Kept):
    """The last rows: the oldest is replaced."""

    def __init__(self) -> None:
        super().__init__(rows=(1, 3, 4))

    def forward(self, x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        self.rows.index_copy_(1, at % 3, self.first(x))
        return self.first(self.rows)


class Single(Kept):
    """One row at a position that is a number."""

    def __init__(self) -> None:
        super().__init__(rows=(2, 5, 4))

    def forward(self, x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        torch.ops.aten.index_put_(self.rows, [None, at[0]], self.first(x))
        return self.first(self.rows)


def drawn(*shape: int) -> Callable[[int], Step]:
    return lambda at: (torch.randn(shape, generator=torch.Generator().manual_seed(at)),)


def placed(*shape: int) -> Callable[[int], Step]:
    return lambda at: (*drawn(*shape)(at), torch.tensor([at]))


MODELS: dict[str, tuple[type[Kept], Callable[[int], Step]]] = {
    "delay line": (DelayLine, drawn(1, 2, 3)),
    "shifted": (Shifted, drawn(1, 1, 4)),
    "hidden": (Hidden, drawn(1, 4)),
    "smoothed": (Smoothed, drawn(1, 4)),
    "ring": (Ring, placed(1, 1, 4)),
    "single": (Single, placed(2, 4)),
}
CASES = [
    ("delay line", "tflite", {"line": "int8"}),
    ("shifted", "tflite", {"window": "int8"}),
    ("hidden", "tflite", {"h": "int8", "c": "int16"}),
    ("smoothed", "tflite", {"mean": "int8", "count": "int64"}),
    ("ring", "integer-transformer", {"rows": "int8"}),
    ("ring", "tflite", {"rows": "float32"}),  # it has no cache_write: the host keeps it
    ("single", "integer-transformer", {"rows": "int8"}),
]
COUNT = 5


@cache
def made(name: str, target: str) -> tuple[Any, Any, nn.Module]:
    torch.manual_seed(1)
    make, draw = MODELS[name]
    model = make().eval()
    steps = [draw(at) for at in range(COUNT)]
    quantized = qsim.quantize(model, steps[0], qsim.Target.load(target), steps)
    return quantized, qsim.lower(quantized), model


def leaves(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]


@pytest.mark.parametrize(("name", "target", "kinds"), CASES)
def test_states_are_what_the_model_keeps(name: str, target: str, kinds: dict[str, str]) -> None:
    quantized, lowered, model = made(name, target)
    assert {state.name: state.value.dtype for state in lowered.states} == kinds
    assert not any(buffer.any() for buffer in model.buffers())  # quantize leaves it as it was
    run, traced = lowered.session(), lowered.session()
    held, exact = ([state.initial for state in quantized.states] for _ in range(2))
    torch.manual_seed(1)
    other = MODELS[name][0]().eval()
    for at in range(COUNT):
        step = MODELS[name][1](at)
        outputs = leaves(run(*step))
        for one, two in zip(outputs, traced.trace(*step).outputs, strict=True):
            np.testing.assert_array_equal(one, two)
        right, *held = quantized.graph(*step, *held)
        real, *exact = quantized.float_graph(*step, *exact)
        with torch.no_grad():
            wanted = leaves(other(*step))
        for one, two, three, four in zip(outputs, leaves(right), leaves(real), wanted, strict=True):
            assert (one - two).abs().max() <= 0.05
            torch.testing.assert_close(three, four)
        for state, value in zip(quantized.states, exact, strict=True):
            torch.testing.assert_close(value, other.get_buffer(state.name))
    for state, value in zip(lowered.states, held, strict=True):
        codes, spec = run.states[state.name].astype(np.float64), state.value
        real_value = codes if spec.scale is None else (codes - spec.zero_point) * spec.scale
        assert np.abs(real_value - value.numpy()).max() <= 2.01 * (spec.scale or 0.0)


def test_what_the_model_keeps_on_the_target_needs_no_host() -> None:
    for name, target, kinds in CASES:
        host = {item.operator for item in made(name, target)[1].host_operators}
        if set(kinds.values()) <= {"int8", "int16"}:
            assert host == set(), name
    assert made("smoothed", "tflite")[1].host_operators[0].operator == "aten.add.Tensor"


def test_a_ring_turns_and_a_line_does_not() -> None:
    _, ring, _ = made("ring", "integer-transformer")
    (call,) = (c for c in ring.programs[0].calls if c.primitive == "cache_write")
    assert call.attributes["ring"] is True
    session = ring.session()
    for at in (0, 3, 100):
        session(*placed(1, 1, 4)(at))


def test_first_values_that_are_not_zero_are_codes_too() -> None:
    model = Shifted().eval()
    model.window[:, 1] = 1.0
    steps = [drawn(1, 1, 4)(at) for at in range(3)]
    quantized = qsim.quantize(model, steps[0], qsim.Target.load("tflite"), steps)
    lowered = qsim.lower(quantized)
    (state,) = lowered.states
    codes = lowered.session().states["window"].astype(np.float64)
    real = (codes - state.value.zero_point) * state.value.scale
    np.testing.assert_allclose(real, model.window.numpy(), atol=state.value.scale / 2)
    assert model.window[0, 1, 0] == 1.0
    pytest.importorskip("executorch")
    from qsim.executorch import export

    with pytest.raises(qsim.ModelError, match="buffer 'window': ExecuTorch begins with zeros"):
        export(quantized)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "target", "kinds"), CASES)
def test_a_pte_keeps_them_too(name: str, target: str, kinds: dict[str, str]) -> None:
    pytest.importorskip("executorch")
    from qsim.executorch import Pte, to_edge

    del kinds
    quantized, lowered, _ = made(name, target)
    session, program = lowered.session(), Pte(to_edge(quantized).to_pte())
    for at in range(COUNT):
        step = MODELS[name][1](at)
        for one, two in zip(leaves(session(*step)), leaves(program(*step)), strict=True):
            assert torch.equal(one, two)


def test_a_pt2_file_has_no_states(tmp_path: Any) -> None:
    quantized, _, _ = made("shifted", "tflite")
    with pytest.raises(qsim.ModelError, match=r"no place for states.*'window'"):
        quantized.save_pt2(tmp_path / "net.pt2")


def test_reports_and_golden_sets_take_steps_of_one_run(tmp_path: Any) -> None:
    from qsim.golden import check, record
    from qsim.report.evaluate import Batch, Evaluator

    quantized, lowered, _ = made("shifted", "tflite")
    evaluator = Evaluator(lowered, quantized)
    session = lowered.session()
    for at in range(3):
        (x,) = drawn(1, 1, 4)(at)
        evaluator.add(Batch((x.numpy(),), (x.numpy(),), None))
        session(x)
    found = evaluator.result()
    assert max(layer.lsb_max for layer in found.layers) <= 1
    golden = tmp_path / "golden"
    record(session, x.numpy(), golden)
    assert check(golden).ok
