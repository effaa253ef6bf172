"""Every step of recurrent cells, as a network computes it, against the definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qsim
from qsim import Lowered, Quantized, Target, lower, quantize
from qsim.graph.nodes import parts
from tests.qsim.recurrent.cells import (
    Reader,
    Steps,
    codes_of,
    drawn,
    gru,
    lstm,
    rnn,
    scale_of,
)

UNITS, INPUTS, STEPS = 3, 4, 2


def cells(quantized: Quantized) -> list[Any]:
    return [n for n in quantized.graph.graph.nodes if str(n.target).endswith("_cell.default")]


def made(cell: nn.Module, target: str, *, given: bool = False) -> tuple[Quantized, Lowered, Any]:
    """Return a network of some steps, and its inputs: louder at each step."""
    x = drawn(STEPS, INPUTS)
    if given:
        count = 2 if isinstance(cell, nn.LSTMCell) else 1
        x = (*drawn(count, UNITS, seed=1), *x)
    quantized = quantize(Steps(cell, given=given).eval(), x, Target.load(target))
    lowered = lower(quantized)
    assert not lowered.host_operators
    return quantized, lowered, x


def loud(cell: nn.Module) -> nn.Module:
    """Make gates leave their range now and then."""
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter *= 4.0
    return cell


def agree(lowered: Lowered, x: Any, folder: Path) -> None:
    """Compare the stream, the interpreter, single samples and the network read from its file."""
    whole = [np.asarray(y) for y in torch.utils._pytree.tree_leaves(lowered(*x))]
    lowered.save(folder / "net.qsim")
    again = qsim.load(folder / "net.qsim")
    assert again.digest == lowered.digest
    for network in (lowered, again):
        traced = network.trace(*x).outputs
        for mine, theirs in zip(whole, traced, strict=True):
            np.testing.assert_array_equal(mine, np.asarray(theirs))
    for sample in (0, 4):
        single = torch.utils._pytree.tree_leaves(lowered(*(i[sample : sample + 1] for i in x)))
        for mine, theirs in zip(whole, single, strict=True):
            np.testing.assert_array_equal(mine[sample], np.asarray(theirs)[0])


@pytest.mark.parametrize(
    ("target", "given"),
    [
        ("tflite", False),
        ("litert-reference", True),
        pytest.param("cmsis-nn", True, marks=pytest.mark.soak),
    ],
)
def test_lstm(target: str, tmp_path: Path, *, given: bool) -> None:
    torch.manual_seed(3)
    cell = loud(nn.LSTMCell(INPUTS, UNITS, bias=not given))
    quantized, lowered, x = made(cell, target, given=given)
    trace = lowered.trace(*x)
    nodes = cells(quantized)
    first: Any = nodes[0].args[1]
    hidden = scale_of(parts(nodes[0])[-1])
    states: list[Any] = [(None, None)] * 5
    if given:
        h, c = (trace.tensors[codes_of(item) + ".codes"] for item in first)
        states = list(zip(h.tolist(), c.tolist(), strict=True))
    seen = 0
    scale = scale_of(parts(nodes[0])[0]).scale
    for node in nodes:
        one = lstm(Reader(quantized, node, 4), hidden, scale)
        inputs = trace.tensors[codes_of(node.args[0]) + ".codes"]
        states = [one.step(v.tolist(), *s) for v, s in zip(inputs, states, strict=True)]
        for part in parts(node):
            wanted = [state[int(part.args[1])] for state in states]
            np.testing.assert_array_equal(trace.tensors[part.name], wanted, f"{node} {part}")
            seen += 1
    assert seen == 2 * STEPS - (not given)
    agree(lowered, x, tmp_path)


@pytest.mark.parametrize("kind", ["gru", "gru-given", "tanh", "relu"])
def test_gru_and_rnn(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(4)
    given = kind == "gru-given"
    if kind.startswith("gru"):
        cell, blocks = nn.GRUCell(INPUTS, UNITS, bias=True), 3
    else:
        cell, blocks = nn.RNNCell(INPUTS, UNITS, nonlinearity=kind), 1  # type: ignore[assignment]
    quantized, lowered, x = made(loud(cell), "tflite", given=given)
    trace = lowered.trace(*x)
    nodes = cells(quantized)
    states: list[Any] = [None] * 5
    if given:
        states = trace.tensors[codes_of(nodes[0].args[1]) + ".codes"].tolist()
    for node in nodes:
        hidden, read = scale_of(node), Reader(quantized, node, blocks)
        step: Any = gru(read, hidden) if blocks == 3 else rnn(read, hidden, relu=kind == "relu")
        inputs = trace.tensors[codes_of(node.args[0]) + ".codes"]
        states = [step.step(v.tolist(), s) for v, s in zip(inputs, states, strict=True)]
        np.testing.assert_array_equal(trace.tensors[node.name], states, str(node))
    agree(lowered, x, tmp_path)
