"""Masks of run time on integer-transformer: however spelled, one softmax of what they show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own name for it
from torch import Tensor, nn

import qsim
from tests.qsim.program.reading import primitives
from tests.qsim.program.reference import interpret

UNITS = qsim.Target.load("integer-transformer")
X = torch.randn(4, 2, 5, 4, generator=torch.Generator().manual_seed(0))
KEYS = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]])
CAUSAL = torch.ones(5, 5, dtype=torch.bool).tril()
LOW = torch.finfo(torch.float32).min
Function = Callable[[Tensor, Tensor, Tensor], Tensor]


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.transpose(-1, -2)


def _wide(m: Tensor) -> Tensor:
    return m[:, None, None, :]


def _added(q: Tensor, k: Tensor, m: Tensor) -> Tensor:
    return torch.softmax(_scores(q, k) + (1.0 - _wide(m).float()) * -10000.0, -1) @ k


SPELLED: dict[str, tuple[Function, Tensor]] = {
    "sdpa": (lambda q, k, m: F.scaled_dot_product_attention(q, k, k, _wide(m).bool()), KEYS),
    "bools": (lambda q, k, m: F.scaled_dot_product_attention(q, k, k, _wide(m)), KEYS.bool()),
    "causal": (
        lambda q, k, m: F.scaled_dot_product_attention(q, k, k, _wide(m).bool() & CAUSAL), KEYS,
    ),
    "queries": (
        lambda q, k, m: F.scaled_dot_product_attention(q, k, k, m[:, None, :, None].bool()), KEYS,
    ),
    "added": (_added, KEYS),
    "where": (
        lambda q, k, m: torch.softmax(torch.where(_wide(m) != 0, _scores(q, k), LOW), -1) @ k, KEYS,
    ),
    "hides": (
        lambda q, k, m: torch.softmax(_scores(q, k).masked_fill(_wide(m), -torch.inf), -1) @ k,
        (KEYS == 0) & (torch.arange(4)[:, None] < 3),  # a row of nothing is NaN here
    ),
    "taken off": (
        lambda q, k, m: torch.softmax(_scores(q, k) - 1e9 * (1 - _wide(m).float()), -1) @ k, KEYS,
    ),
}  # fmt: skip


class Net(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.q, self.k, self.function = nn.Linear(4, 4), nn.Linear(4, 4), function

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return self.function(self.q(x), self.k(x), m)


def _lowered(function: Function, mask: Tensor) -> qsim.Lowered:
    return qsim.lower(qsim.quantize(Net(function).eval(), (X, mask), UNITS))


LATE = ("sdpa", "queries", "where", "taken off")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.soak] if n in LATE else []) for n in SPELLED],
)
def test_one_softmax_of_what_a_mask_shows(name: str, tmp_path: Path) -> None:
    function, mask = SPELLED[name]
    lowered = _lowered(function, mask)
    assert (len(lowered.programs), lowered.host_operators) == (1, ())
    assert primitives(lowered).count("masked_softmax") == 1
    trace, made = lowered.trace(X, mask), lowered(X, mask)
    np.testing.assert_array_equal(made, trace.outputs[0])
    each = [lowered(X[i : i + 1], mask[i : i + 1]) for i in range(4)]
    np.testing.assert_array_equal(torch.cat(each), made)
    with torch.no_grad():
        right = Net(function).eval()(X, mask)
    shows = slice(0, 3)  # the last sample shows nothing: torch gives NaN there, or shares it out
    near, real = made[shows], right[shows].nan_to_num()
    kept = real.abs().sum(-1) > 0
    assert (near - real)[kept].pow(2).mean() <= 0.002 * real[kept].pow(2).mean()
    step = next(step for step in lowered.steps if step.kind == "program")
    (program,) = lowered.programs
    given = {"x.codes": trace.tensors["x.codes"], "m": mask.numpy().view(np.int8)
             if mask.dtype == torch.bool else mask.numpy()}  # fmt: skip
    wanted, _ = interpret(program, [given[value] for value in step.inputs])
    for key, value in wanted.items():
        if key in trace.tensors and key not in program.inputs:
            np.testing.assert_array_equal(trace.tensors[key], value)
    if name in ("bools", "causal"):
        lowered.save(tmp_path / "it.qsim")
        np.testing.assert_array_equal(qsim.load(tmp_path / "it.qsim")(X, mask), made)


def test_hidden_elements_change_nothing_and_a_row_of_nothing_is_zero() -> None:
    lowered = _lowered(*SPELLED["added"])
    (call,) = (c for c in lowered.programs[0].calls if c.primitive == "masked_softmax")
    made = lowered(X, KEYS)
    weights = lowered.trace(X, KEYS).tensors[call.output]
    spec = lowered.programs[0].tensors[call.output]
    hidden = np.broadcast_to(_wide(KEYS).numpy() == 0, weights.shape)
    assert set(weights[hidden].tolist()) == {spec.zero_point}
    assert set(weights[3].reshape(-1).tolist()) == {spec.zero_point}
    other = X.clone()
    other[1, :, 3:] = 0.5  # the padding
    np.testing.assert_array_equal(lowered(other, KEYS)[1, :, :3], made[1, :, :3])
    # Ones and any other numbers show alike.
    np.testing.assert_array_equal(lowered(X, KEYS * 7), made)


def _outer(q: Tensor, k: Tensor, m: Tensor) -> Tensor:
    both = (m[:, None, :, None] * _wide(m)).bool()
    return F.scaled_dot_product_attention(q, k, k, both)


def test_masks_that_are_no_such_marks_stay_on_the_host() -> None:
    lowered = _lowered(_outer, KEYS)
    assert "masked_softmax" not in primitives(lowered)
    assert "aten._safe_softmax.default" in {h.operator for h in lowered.host_operators}
    soft = _lowered(lambda q, k, m: torch.softmax(_scores(q, k) + _wide(m).float(), -1) @ k, KEYS)
    assert "masked_softmax" not in primitives(soft)


@pytest.mark.parametrize("name", ["added", "hides", "taken off"])
def test_without_the_primitive_mask_and_softmax_stay_in_torch(name: str) -> None:
    """A scale that reached as far as what hides would leave the scores one code."""
    function, mask = SPELLED[name]
    mask = mask[:3]  # a row that shows nothing is another matter
    net = Net(function).eval()
    lowered = qsim.lower(qsim.quantize(net, (X[:3], mask), qsim.Target.load("tflite")))
    host = {each.operator: each.reason for each in lowered.host_operators}
    assert "its mask comes at run time" in str(host["aten.softmax.int"])
    with torch.no_grad():
        far = (lowered(X[:3], mask) - net(X[:3], mask)).abs().max()
    assert far < 0.06
