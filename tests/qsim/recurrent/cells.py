"""Networks of recurrent cells, and the definition of their steps, read from a Q/DQ graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import Node

from hw_models.formats import FixedFormat
from hw_models.recurrent import Curves, Gate, Gru, Half, Lstm, Rnn
from hw_models.requantize import Requantizer
from hw_models.schemes import FixedPoint, PowerOfTwo
from hw_models.tables import FixedSigmoid, FixedTanh, Sigmoid16, Tanh16
from qsim import Quantized
from qsim.graph import attribute

GATE, CURVE = 2.0**-12, 2.0**-15


class Steps(nn.Module):
    """A cell that reads its inputs one after the other; one with states given returns them all."""

    def __init__(self, cell: nn.Module, *, given: bool = False) -> None:
        super().__init__()
        self.cell, self.given = cell, given

    def forward(self, *xs: Tensor) -> Any:
        state: Any = None
        if self.given:
            first = 2 if isinstance(self.cell, nn.LSTMCell) else 1
            state, xs = (xs[:2] if first == 2 else xs[0]), xs[first:]
        for x in xs:
            state = self.cell(x, state)
        return state if self.given or not isinstance(state, tuple) else state[0]


class Params(NamedTuple):
    scale: float
    zero_point: int


def scale_of(node: Any) -> Params:
    """Return the parameters behind an operand, or of a result."""
    coding = node if "quantize" in str(node.target) else next(iter(node.users))
    return Params(float(coding.args[1]), int(coding.args[2]))


def codes_of(node: Node) -> str:
    """Return the name of the tensor whose codes an operand is."""
    return str(node.args[0].args[0])  # type: ignore[union-attr]


class Kernel(NamedTuple):
    """The order of roundings, said again: what ``qsim.patterns`` says is compared with it."""

    curves: Callable[[float], Curves]
    single: bool  # of a gate's factor: float32
    shifts: bool
    each: bool


def tables(cell: float) -> Curves:
    left = int(np.log2(cell)) + 12
    bent = Tanh16(3 << left, 0) if left >= 0 else Tanh16(3, -left)
    return Curves(Sigmoid16(3, 0), Tanh16(3, 0), bent)


def gemmlowp(cell: float) -> Curves:
    return Curves(FixedSigmoid(3), FixedTanh(3), FixedTanh(int(np.log2(cell)) + 15))


KERNELS = {
    "tflite": Kernel(tables, single=False, shifts=False, each=True),
    "cmsis-nn": Kernel(tables, single=False, shifts=False, each=False),
    "litert-reference": Kernel(gemmlowp, single=True, shifts=True, each=False),
    "litert-optimized": Kernel(gemmlowp, single=True, shifts=True, each=False),
    "xnnpack": Kernel(gemmlowp, single=True, shifts=True, each=False),
}


class Reader:
    """Reads one cell of a Q/DQ graph for a target of TFLite's family."""

    def __init__(self, quantized: Quantized, node: Node, blocks: int) -> None:
        self.graph, self.node, self.blocks = quantized.graph, node, blocks
        self.kernel = KERNELS[quantized.target.name]
        self.x: Any = node.args[0]
        self.bits = quantized.target.input.bits

    def weight(self, index: int, block: int) -> tuple[np.ndarray, float]:
        node: Any = self.node.args[index]
        codes = attribute(self.graph, node.args[0]).numpy()
        scales = attribute(self.graph, node.args[1]).numpy()
        part = np.split(scales, self.blocks)[block]
        assert len(set(part.tolist())) == 1
        return np.split(codes, self.blocks)[block], float(part[0])

    def bias(self, index: int, block: int) -> np.ndarray | float:
        if len(self.node.args) <= index or self.node.args[index] is None:
            return 0.0
        node: Any = self.node.args[index]
        return np.split(attribute(self.graph, node).double().numpy(), self.blocks)[block]

    def factor(self, a: float, b: float, y: float) -> Requantizer:
        if self.kernel.single:
            return FixedPoint.from_scale(float(np.float32(a) * np.float32(b) / np.float32(y)))
        return FixedPoint.from_scale(float(np.float32(a)) * float(np.float32(b)) / y)

    def factor_plain(self, a: float, y: float) -> Requantizer:
        """Return the rescale of codes: derived in float64 by every target of the family."""
        return FixedPoint.from_scale(float(np.float32(a)) / float(np.float32(y)))

    def product(self, a: float, b: float, y: float) -> Requantizer:
        """Return the rescale of an element-wise product: TFLite derives it in float32."""
        if self.kernel.shifts:
            return PowerOfTwo(int(np.log2(y / (a * b))), "half_away")
        return FixedPoint.from_scale(float(np.float32(a) * np.float32(b) / np.float32(y)))

    def half(self, index: int, block: int, params: Params, biases: Any, scale: float) -> Half:
        codes, s_w = self.weight(index, block)
        sums = np.rint(np.broadcast_to(biases / (params.scale * s_w), len(codes)))
        scheme = self.factor(params.scale, s_w, scale)
        return Half(codes.tolist(), scheme, params.zero_point, sums.astype(int).tolist())

    def gate(
        self, block: int, hidden: Params, scale: float = GATE, output: FixedFormat | None = None
    ) -> Gate:
        both = self.bias(4, block) + self.bias(5, block)
        first = self.half(2, block, scale_of(self.x), both, scale)
        second = self.half(3, block, hidden, 0.0, scale)
        return Gate(first, second, self.kernel.each, output or FixedFormat(16))


def lstm(read: Reader, hidden: Params, cell: float) -> Lstm:
    i, f, g, o = (read.gate(block, hidden) for block in range(4))
    one = np.float32(CURVE)
    if read.kernel.single:
        show = FixedPoint.from_scale(float(one / np.float32(hidden.scale) * one))
    else:
        show = read.product(CURVE, CURVE, hidden.scale)  # type: ignore[assignment]
    return Lstm(
        i, f, g, o, read.kernel.curves(cell), read.product(CURVE, cell, cell),
        read.product(CURVE, CURVE, cell), show, hidden.zero_point, FixedFormat(read.bits),
    )  # fmt: skip


def gru(read: Reader, hidden: Params) -> Gru:
    r, z = (read.gate(block, hidden) for block in range(2))
    n = Gate(
        read.half(2, 2, scale_of(read.x), read.bias(4, 2), GATE),
        read.half(3, 2, hidden, read.bias(5, 2), GATE),
    )
    reach = hidden.scale * max(127 - hidden.zero_point, hidden.zero_point + 128)
    wide = CURVE * 2.0 ** max(0, int(np.ceil(np.log2(reach / 1.02))))
    keep = FixedPoint.from_scale(
        float(np.float32(CURVE) * np.float32(hidden.scale) / np.float32(wide))
    )
    return Gru(
        r, z, n, read.kernel.curves(CURVE), read.product(CURVE, GATE, GATE), keep,
        read.product(CURVE, CURVE, wide), read.factor_plain(wide, hidden.scale),
        hidden.zero_point, FixedFormat(read.bits),
    )  # fmt: skip


def rnn(read: Reader, hidden: Params, *, relu: bool) -> Rnn:
    if relu:
        scale = hidden.scale * 2.0**-5
        gate = read.gate(0, hidden, scale, FixedFormat(read.bits + 8))
        return Rnn(gate, None, read.factor_plain(scale, hidden.scale), hidden.zero_point,
                   FixedFormat(read.bits))  # fmt: skip
    return Rnn(
        read.gate(0, hidden), read.kernel.curves(CURVE).tanh,
        read.factor_plain(CURVE, hidden.scale), hidden.zero_point, FixedFormat(read.bits),
    )  # fmt: skip


def drawn(count: int, size: int, batch: int = 5, seed: int = 0) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(batch, size, generator=rng) * (i + 1) / 2 for i in range(count))
