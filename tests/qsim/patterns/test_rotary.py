"""Rotary embeddings, however written: one call, within its stated error of torch's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import qsim
from qsim.lowering.turns import turns
from tests.qsim.program.reading import primitives
from tests.qsim.program.reference import interpret
from tests.qsim.quantizer.graphs import Fn

UNITS = qsim.Target.load("integer-transformer")
LENGTH, DEPTH = 5, 6
ANGLES = torch.outer(torch.arange(LENGTH), 10000.0 ** (-torch.arange(0, DEPTH, 2) / DEPTH))
X = torch.randn(2, 3, LENGTH, DEPTH, generator=torch.Generator().manual_seed(0))
Function = Callable[[torch.Tensor], torch.Tensor]


def _half(x: torch.Tensor) -> torch.Tensor:
    return torch.cat((-x[..., DEPTH // 2 :], x[..., : DEPTH // 2]), -1)


def _beside(x: torch.Tensor) -> torch.Tensor:
    return torch.stack((-x[..., 1::2], x[..., ::2]), -1).flatten(-2)


def _split(x: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    cos, sin = ANGLES.cos(), ANGLES.sin()
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def _tables(*, beside: bool = False, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    both = ANGLES.repeat_interleave(2, -1) if beside else torch.cat((ANGLES, ANGLES), -1)
    return both.cos() * scale, both.sin() * scale


def _written(rotate: Function, cos: torch.Tensor, sin: torch.Tensor) -> Function:
    return lambda x: x * cos + rotate(x) * sin


TURNS: dict[str, tuple[Function, str]] = {
    "half": (_written(_half, *_tables()), "half"),
    "beside": (_written(_beside, *_tables(beside=True)), "interleaved"),
    "split": (_split, "half"),
    "scaled": (_written(_half, *_tables(scale=1.5)), "half"),
    "backwards": (lambda x: x * _tables()[0] + _half(-x) * _tables()[1], "half"),
    "heads": (_written(_half, *(table[None, None] for table in _tables())), "half"),
}
OTHERS: dict[str, Function] = {
    "other tables": _written(_half, *_tables(beside=True)),
    "no pair": lambda x: x * _tables()[0] + x.flip(-1) * _tables()[1],
    "read": lambda x: (lambda y: y * _tables()[0] + _half(y) * _tables()[1] + y)(x),
}


def _net(function: Function) -> Fn:
    return Fn(lambda _, x: function(x * 1.5) * 0.75).eval()


@pytest.mark.parametrize("name", TURNS)
def test_a_turn_is_one_call(name: str) -> None:
    function, pairing = TURNS[name]
    quantized = qsim.quantize(_net(function), (X,), UNITS)
    lowered = qsim.lower(quantized)
    assert (len(lowered.programs), lowered.host_operators) == (1, ())
    (program,) = lowered.programs
    assert primitives(lowered) == ["mul", "rotary", "mul"]
    call = program.calls[1]
    assert call.attributes["pairing"] == pairing
    trace = lowered.trace(X)
    np.testing.assert_array_equal(lowered(X), trace.outputs[0])
    np.testing.assert_array_equal(torch.cat([lowered(one[None]) for one in X]), lowered(X))
    codes = [trace.tensors[f"{name}.codes"] for name in program.inputs]
    for key, value in interpret(program, codes)[0].items():
        np.testing.assert_array_equal(trace.tensors[key], value)
    before, after = (program.tensors[name] for name in (call.inputs[0], call.output))
    real = before.scale * (trace.tensors[before.name].astype(float) - before.zero_point)
    made = after.scale * (trace.tensors[after.name].astype(float) - after.zero_point)
    wanted = function(torch.from_numpy(real)).numpy()
    low, high = (after.scale * (end - after.zero_point) for end in (-128, 127))
    assert np.abs(made - wanted.clip(low, high)).max() <= after.scale * 0.52


@pytest.mark.parametrize("name", OTHERS)
def test_what_turns_no_pairs_stays_in_parts(name: str) -> None:
    quantized = qsim.quantize(_net(OTHERS[name]), (X,), UNITS)
    roots = turns(quantized.float_graph.graph.nodes, UNITS)
    assert bool(roots) == (name == "read")  # there the turn is a part of the sum
    assert not turns(quantized.float_graph.graph.nodes, qsim.Target.load("tflite"))
