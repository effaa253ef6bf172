"""One step of a recurrent cell, in the primitives that a network's calls are: the definition.

Real-number meaning: torch's ``LSTMCell``, ``GRUCell`` and ``RNNCell``.

State formats, those of TFLite's UNIDIRECTIONAL_SEQUENCE_LSTM of 8x8 bits with a 16-bit cell:

| tensor                           | codes                    | scale                          |
|----------------------------------|--------------------------|--------------------------------|
| x, hidden state                  | the target's activations | of the data                    |
| gates before their curve         | int16                    | 2**-12, so -8..8               |
| gates behind it                  | int16                    | 2**-15                         |
| the gate of an RNN with relu     | 8 bits more than h       | 2**-5 of h's                   |
| cell state                       | int16                    | a power of two, 2**-15..2**-9  |

Integer formula of a gate: ``sat16(first + second)``, where ``first = sat16(rescale(bias + W x))``
and ``second = rescale(U h)``, which saturates alone, too, with ``each``. Then

* LSTM: ``c' = sat16(sat16(f * c) + sat16(i * g))``, clamped where there is a clip, and
  ``h' = rescale(o * tanh(c'))``;
* GRU: ``n = tanh(sat16(nx + sat16(r * nh)))``, where ``nx`` and ``nh`` are the halves of a gate,
  each with its bias, and ``h' = rescale(sat16(z * h) + sat16((1 - z) * n))``, ``1 - z`` being
  ``32767 - z`` as in TFLite's coupled gates;
* RNN: ``h' = rescale(curve(gate))``.

| who          | curves                       | products of gates and cell         | second half   |
|--------------|------------------------------|------------------------------------|---------------|
| LiteRT       | ``FixedSigmoid, FixedTanh``  | a shift, half away from zero       | in the sum    |
| CMSIS-NN     | ``Sigmoid16, Tanh16``        | multiplier and shift, rounded twice| in the sum    |
| TFLite-Micro | ``Sigmoid16, Tanh16``        | multiplier and shift, rounded twice| ``each``      |

Sources: tensorflow lite/kernels/lstm_eval.cc and internal/reference/portable_tensor_utils.cc,
tflite-micro kernels/lstm_eval.cc, CMSIS-NN arm_nn_lstm_step_s8.c.

Corners: a state that is zero at the start adds nothing, whatever its zero point. A cell scale below
2**-15 would let ``i * g`` leave 16 bits, which LiteRT wraps; it is not taken. Sums of products have
the target's accumulators; here they are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hw_models.formats import FixedFormat
from hw_models.requantize import reference as requantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.schemes import Requantizer
    from hw_models.tables import TableUnit

INT16: Final = FixedFormat(16)
INT32: Final = FixedFormat(32)
CELL_SCALES: Final = (2.0**-15, 2.0**-9)


@dataclass(frozen=True, slots=True)
class Half:
    """One product of a gate: a matrix with what it adds, and how the sums become gate codes.

    Attributes:
        weight: one row per unit.
        bias: one sum per unit, or empty.
        scheme: from the sums' scale to the gate's.
        zero_point: the code of real 0 in what is multiplied.
    """

    weight: Sequence[Sequence[int]]
    scheme: Requantizer
    zero_point: int
    bias: Sequence[int] = ()

    def codes(self, x: Sequence[int], output: FixedFormat) -> list[int]:
        """Compute the codes that one vector makes."""
        sums = [
            sum(w * (v - self.zero_point) for w, v in zip(row, x, strict=True))
            for row in self.weight
        ]
        if len(self.bias):
            sums = [a + b for a, b in zip(sums, self.bias, strict=True)]
        return [requantize(a, self.scheme, 0, output) for a in sums]


@dataclass(frozen=True, slots=True)
class Gate:
    """The two products of a gate.

    Attributes:
        first: of the input.
        second: of the hidden state.
        each: the second saturates before the sum.
        output: format of the gate.
    """

    first: Half
    second: Half
    each: bool = False
    output: FixedFormat = INT16

    def codes(self, x: Sequence[int], hidden: Sequence[int] | None) -> list[int]:
        """Compute the gate before its curve; None is a state of zeros."""
        made = self.first.codes(x, self.output)
        if hidden is None:
            return made
        more = self.second.codes(hidden, self.output if self.each else INT32)
        return [self.output.saturate(a + b) for a, b in zip(made, more, strict=True)]


@dataclass(frozen=True, slots=True)
class Curves:
    """The units of a kernel; ``cell`` is the tanh of the cell's scale."""

    sigmoid: TableUnit
    tanh: TableUnit
    cell: TableUnit | None = None


def curve(codes: Sequence[int], unit: TableUnit) -> list[int]:
    """Apply a unit to each code of 16 bits."""
    return [unit.reference(code, INT16) for code in codes]


def products(
    a: Sequence[int],
    b: Sequence[int],
    scheme: Requantizer,
    b_zero_point: int = 0,
    zero_point: int = 0,
    output: FixedFormat = INT16,
) -> list[int]:
    """Multiply element by element and rescale."""
    return [
        requantize(x * (y - b_zero_point), scheme, zero_point, output)
        for x, y in zip(a, b, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Lstm:
    """An LSTM cell.

    Attributes:
        input, forget, cell, output: the gates; ``cell`` is the candidate.
        curves: sigmoid, tanh, and tanh at the cell's scale.
        keep: from ``forget * cell state`` to the cell's scale.
        write: from ``input * candidate`` to the cell's scale.
        show: from ``output * tanh(cell state)`` to the hidden state's scale.
        zero_point: of the hidden state.
        hidden: format of the hidden state.
        clip: the cell state stays within -clip..clip; 0 for no clip.
    """

    input: Gate
    forget: Gate
    cell: Gate
    output: Gate
    curves: Curves
    keep: Requantizer
    write: Requantizer
    show: Requantizer
    zero_point: int
    hidden: FixedFormat
    clip: int = 0

    def step(
        self, x: Sequence[int], hidden: Sequence[int] | None, state: Sequence[int] | None
    ) -> tuple[list[int], list[int]]:
        """Compute the new hidden state and cell state; None is a state of zeros."""
        state = self.state(x, hidden, state)
        return self.shown(x, hidden, state), state

    def state(
        self, x: Sequence[int], hidden: Sequence[int] | None, state: Sequence[int] | None
    ) -> list[int]:
        """Compute the new cell state."""
        i = curve(self.input.codes(x, hidden), self.curves.sigmoid)
        g = curve(self.cell.codes(x, hidden), self.curves.tanh)
        new = products(i, g, self.write)
        if state is not None:
            f = curve(self.forget.codes(x, hidden), self.curves.sigmoid)
            kept = products(f, state, self.keep)
            new = [INT16.saturate(a + b) for a, b in zip(kept, new, strict=True)]
        if self.clip:
            new = [min(max(c, -self.clip), self.clip) for c in new]
        return new

    def shown(
        self, x: Sequence[int], hidden: Sequence[int] | None, state: Sequence[int]
    ) -> list[int]:
        """Compute the new hidden state from the new cell state."""
        o = curve(self.output.codes(x, hidden), self.curves.sigmoid)
        t = curve(state, self.curves.cell or self.curves.tanh)
        return products(o, t, self.show, 0, self.zero_point, self.hidden)


@dataclass(frozen=True, slots=True)
class Gru:
    """A GRU cell.

    Attributes:
        reset, update: the gates; both biases are in the first half.
        candidate: the halves are kept apart, each with its bias.
        curves: sigmoid and tanh.
        gated: from ``reset * second half`` to the gate's scale.
        keep: from ``update * hidden state`` to 2**-15 times ``widened``.
        write: from ``(1 - update) * candidate`` to the same.
        show: from there to the hidden state's scale.
        zero_point: of the hidden state.
        hidden: format of the hidden state.
    """

    reset: Gate
    update: Gate
    candidate: Gate
    curves: Curves
    gated: Requantizer
    keep: Requantizer
    write: Requantizer
    show: Requantizer
    zero_point: int
    hidden: FixedFormat

    def step(self, x: Sequence[int], hidden: Sequence[int] | None) -> list[int]:
        """Compute the new hidden state; None is a state of zeros."""
        zeros = [self.zero_point] * len(self.candidate.first.weight)
        r = curve(self.reset.codes(x, hidden), self.curves.sigmoid)
        z = curve(self.update.codes(x, hidden), self.curves.sigmoid)
        more = self.candidate.second.codes(zeros if hidden is None else hidden, INT16)
        gated = products(r, more, self.gated)
        made = self.candidate.first.codes(x, INT16)
        n = curve(
            [INT16.saturate(a + b) for a, b in zip(made, gated, strict=True)], self.curves.tanh
        )
        new = products([(1 << 15) - 1 - code for code in z], n, self.write)
        if hidden is not None:
            kept = products(z, hidden, self.keep, self.zero_point)
            new = [INT16.saturate(a + b) for a, b in zip(kept, new, strict=True)]
        return [requantize(code, self.show, self.zero_point, self.hidden) for code in new]


@dataclass(frozen=True, slots=True)
class Rnn:
    """An Elman cell.

    Attributes:
        gate: its scale is that of the curve's input.
        curve: tanh; None is relu, behind the rescale.
        show: from the curve's scale to the hidden state's.
        zero_point: of the hidden state.
        hidden: format of the hidden state.
    """

    gate: Gate
    curve: TableUnit | None
    show: Requantizer
    zero_point: int
    hidden: FixedFormat

    def step(self, x: Sequence[int], hidden: Sequence[int] | None) -> list[int]:
        """Compute the new hidden state; None is a state of zeros."""
        codes = self.gate.codes(x, hidden)
        if self.curve is None:
            low = (self.zero_point, self.hidden.max)
            return [requantize(c, self.show, self.zero_point, self.hidden, low) for c in codes]
        made = curve(codes, self.curve)
        return [requantize(c, self.show, self.zero_point, self.hidden) for c in made]
