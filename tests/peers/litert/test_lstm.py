"""LiteRT's UNIDIRECTIONAL_SEQUENCE_LSTM of 8x8 bits with a 16-bit cell, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import nn

from hw_models.formats import FixedFormat
from hw_models.recurrent import Curves, Gate, Half, Lstm
from hw_models.schemes import FixedPoint, PowerOfTwo
from hw_models.tables import FixedSigmoid, FixedTanh
from qsim import Target, lower, quantize
from qsim.graph.nodes import parts
from tests.peers.evidence.observed import composed
from tests.peers.litert.formulas import F32
from tests.peers.litert.model import Model, Tensor
from tests.peers.litert.run import KERNELS
from tests.qsim.recurrent.cells import Reader, Steps, codes_of, drawn, scale_of

GATES = ("input", "forget", "cell", "output")


@dataclass(frozen=True)
class Drawn:
    """The parameters of one LSTM.

    Attributes:
        x: scale and zero point of the input.
        h: scale and zero point of the hidden state.
        cell_power: the cell's scale is 2**cell_power.
        first, second: per gate, the weight of the input and of the hidden state, with its scale.
        bias: per gate.
        clip: real; 0 for none.
    """

    x: tuple[np.float32, int]
    h: tuple[np.float32, int]
    cell_power: int
    first: dict[str, tuple[np.ndarray, np.float32]]
    second: dict[str, tuple[np.ndarray, np.float32]]
    bias: dict[str, np.ndarray]
    clip: float


def draw(rng: np.random.Generator, inputs: int, units: int, *, loud: bool) -> Drawn:
    """Draw an LSTM; a loud one saturates gates and cells."""
    about = 0.12 if loud else 0.02

    def matrix(columns: int) -> tuple[np.ndarray, np.float32]:
        scale = F32(2.0**-6) if rng.random() < 0.3 else F32(rng.uniform(0.3, 1) * about)
        return rng.integers(-127, 128, (units, columns)).astype(np.int8), scale

    return Drawn(
        (F32(rng.uniform(0.005, 0.03)), int(rng.integers(-128, 128))),
        (F32(rng.choice([1 / 128, rng.uniform(0.004, 0.009)])), int(rng.integers(-30, 30))),
        int(rng.integers(-15, -8)),
        {name: matrix(inputs) for name in GATES},
        {name: matrix(units) for name in GATES},
        {name: rng.integers(-4000, 4000, units).astype(np.int32) for name in GATES},
        float(rng.choice([0.0, 0.5])),
    )


def definition(drawn: Drawn) -> Lstm:
    """Return what the kernel should compute."""
    gates = {}
    for name in GATES:
        halves = []
        for (scale, zero), (weight, s_w), bias in (
            (drawn.x, drawn.first[name], drawn.bias[name].tolist()),
            (drawn.h, drawn.second[name], []),
        ):
            # The kernel's effective scales are float32, from left to right.
            factor = float(F32(F32(scale * s_w) / F32(2.0**-12)))
            halves.append(Half(weight.tolist(), FixedPoint.from_scale(factor), zero, bias))
        gates[name] = Gate(*halves)
    cell = 2.0**drawn.cell_power
    return Lstm(
        *(gates[name] for name in GATES),
        Curves(FixedSigmoid(), FixedTanh(), FixedTanh(15 + drawn.cell_power)),
        PowerOfTwo(15, "half_away"),
        PowerOfTwo(30 + drawn.cell_power, "half_away"),
        FixedPoint.from_scale(float(F32(F32(2.0**-15) / drawn.h[0] * F32(2.0**-15)))),
        drawn.h[1],
        FixedFormat(8),
        min(int(drawn.clip / cell), 32767),
    )


def model(drawn: Drawn, inputs: int, units: int, steps: int) -> tuple[Model, Tensor, Tensor]:
    """Return the operator on batches of 2, its hidden state and its cell state."""
    made = Model()
    x = made.input((2, steps, inputs), "int8", *drawn.x)
    first = [made.constant(*drawn.first[name]) for name in GATES]
    second = [made.constant(*drawn.second[name]) for name in GATES]
    bias = [made.constant(drawn.bias[n], F32(drawn.x[0] * drawn.first[n][1])) for n in GATES]
    hidden = made.variable((2, units), "int8", *drawn.h)
    cell = made.variable((2, units), "int16", F32(2.0**drawn.cell_power), 0)
    # Where there is no projection the fifth is the hidden state.
    scales = [(F32(2.0**-12), 0)] * 4 + [drawn.h]
    between = tuple(
        made.tensor((1,), "int16" if i < 4 else "int8", *pair) for i, pair in enumerate(scales)
    )
    operands = [x, *first, *second, None, None, None, *bias, None, None, hidden, cell]
    output = made.tensor((2, steps, units), "int8", *drawn.h)
    made.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [*operands, None, None, None, None],
        output,
        "UnidirectionalSequenceLSTMOptions",
        between,
        fusedActivationFunction=4,
        cellClip=drawn.clip,
        projClip=0.0,
        timeMajor=False,
    )
    return made, hidden, cell


@pytest.mark.parametrize("kernels", KERNELS)
def test_every_step(kernels: str) -> None:
    """Hidden state and cell state of each step, from zero: one step a run, then all in one."""
    rng = np.random.default_rng(11)
    inputs, units, steps, form = 5, 4, 6, FixedFormat(8)
    seen = set()
    for trial in range(24):
        drawn = draw(rng, inputs, units, loud=trial % 2 == 0)
        x = rng.integers(form.min, form.max + 1, (2, steps, inputs)).astype(np.int8)
        made, hidden, cell = model(drawn, inputs, units, 1)
        interpreter = Interpreter(
            model_content=made.serialize(),
            num_threads=1,
            experimental_op_resolver_type=KERNELS[kernels],
        )
        interpreter.allocate_tensors()
        place = interpreter.get_input_details()[0]["index"]
        lstm = definition(drawn)
        states = [(None, None), (None, None)]
        every = []
        for t in range(steps):
            interpreter.set_tensor(place, x[:, t : t + 1])
            interpreter.invoke()
            states = [
                lstm.step(x[b, t].tolist(), *states[b])  # type: ignore[arg-type]
                for b in range(2)
            ]
            h, c = ([s[i] for s in states] for i in (0, 1))
            np.testing.assert_array_equal(interpreter.get_tensor(cell.index), c, f"{trial} {t}")
            np.testing.assert_array_equal(interpreter.get_tensor(hidden.index), h, f"{trial} {t}")
            every.append(h)
        whole, *_ = model(drawn, inputs, units, steps)
        interpreter = Interpreter(model_content=whole.serialize(), num_threads=1,
                                  experimental_op_resolver_type=KERNELS[kernels])  # fmt: skip
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.testing.assert_array_equal(found, np.moveaxis(np.array(every), 0, 1))
        seen |= {int(abs(v)) for row in c for v in row}
    assert len(seen) > 60


@pytest.mark.peer("LiteRT reference", ["lstm_cell"], ["litert-reference"], kernels="reference")
@pytest.mark.peer("LiteRT optimized", ["lstm_cell"], ["litert-optimized"], kernels="optimized")
@pytest.mark.parametrize("kernels", KERNELS)
def test_a_lowered_network(kernels: str) -> None:
    """Cells of torch, quantized and lowered for LiteRT's target: the same codes of every step."""
    inputs, units, steps = 5, 4, 3
    torch.manual_seed(7)
    target = Target.load(
        {"optimized": "litert-optimized", "xnnpack": "xnnpack"}.get(kernels, "litert-reference")
    )
    x = drawn(steps, inputs, batch=2)
    fixed = {str(i): {"scale": 1 / 64, "zero_point": -5} for i in range(steps)}
    quantized = quantize(
        Steps(nn.LSTMCell(inputs, units)).eval(), x, target, config={"inputs": fixed}
    )
    trace = lower(quantized).trace(*x)
    nodes = [n for n in quantized.graph.graph.nodes if str(n.target) == "aten.lstm_cell.default"]
    read, hidden = Reader(quantized, nodes[0], 4), scale_of(parts(nodes[0])[-1])
    s_x = scale_of(nodes[0].args[0])
    names = dict(zip(GATES, (0, 1, 2, 3), strict=True))
    first, second = ({n: read.weight(k, b) for n, b in names.items()} for k in (2, 3))
    bias = {
        n: np.rint((read.bias(4, b) + read.bias(5, b)) / (s_x.scale * first[n][1])).astype(np.int32)
        for n, b in names.items()
    }
    power = int(np.log2(scale_of(parts(nodes[0])[0]).scale))
    made, *_ = model(
        Drawn((F32(s_x.scale), s_x.zero_point), (F32(hidden.scale), hidden.zero_point), power,
              *({n: (w, F32(s)) for n, (w, s) in side.items()} for side in (first, second)),
              bias, 0.0),
        inputs, units, steps,
    )  # fmt: skip
    interpreter = Interpreter(model_content=made.serialize(), num_threads=1,
                              experimental_op_resolver_type=KERNELS[kernels])  # fmt: skip
    interpreter.allocate_tensors()
    codes = np.stack([trace.tensors[f"{codes_of(n.args[0])}.codes"] for n in nodes], 1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], codes)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    for t, node in enumerate(nodes):
        np.testing.assert_array_equal(found[:, t], trace.tensors[parts(node)[-1].name], f"step {t}")
    composed("lstm_cell", target)
