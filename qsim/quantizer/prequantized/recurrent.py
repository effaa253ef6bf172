"""Recurrent layers and cells with given codes of weights: ``torch.ao.nn.quantized.dynamic``'s.

Source: pytorch aten/src/ATen/native/RNN.cpp. What enters a layer is quantized once, for the whole
sequence and the whole batch; a hidden state at every step. Gates are float32, in torch's order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from qsim.errors import ModelError
from qsim.graph import A_CELL, PACKED, UNROLLED
from qsim.graph.recurrent import MAX_STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from qsim.quantizer.prequantized.dense import Dense

    States = tuple[Tensor, ...]
    Cell = Callable[[Tensor, Tensor, States], States]


def lstm(given: Tensor, own: Tensor, states: States) -> States:
    """Return hidden and cell state; ``given`` and ``own`` are what input and hidden state make."""
    i, f, g, o = (own + given).chunk(4, 1)
    cell = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def gru(given: Tensor, own: Tensor, states: States) -> States:
    """Return the hidden state."""
    # Slices of one sum, as torch has them: the end of each row is computed value by value, and a
    # sigmoid there may differ in its last bit from that of a vector.
    reset, update, _ = (own + given).chunk(3, 1)
    z = update.sigmoid()
    n = (given.chunk(3, 1)[2] + own.chunk(3, 1)[2] * reset.sigmoid()).tanh()
    return ((states[0] - n) * z + n,)


def rnn_tanh(given: Tensor, own: Tensor, _states: States) -> States:
    """Return the hidden state."""
    return ((own + given).tanh(),)


def rnn_relu(given: Tensor, own: Tensor, _states: States) -> States:
    """Return the hidden state."""
    return ((own + given).relu(),)


CELLS: Final[dict[str, Cell]] = {
    "LSTM": lstm, "GRU": gru, "RNN_TANH": rnn_tanh, "RNN_RELU": rnn_relu,
}  # fmt: skip


class OneStep(nn.Module):
    """A cell: one step of a sequence."""

    def __init__(self, kind: str, hidden: int, ih: Dense, hh: Dense) -> None:
        super().__init__()
        self.kind, self.hidden, self.ih, self.hh = kind, hidden, ih, hh

    def forward(self, x: Tensor, hx: Any = None) -> Any:
        """Return what torch's cell returns for [batch, inputs]."""
        count = 2 if self.kind == "LSTM" else 1
        if hx is None:
            hx = (x.new_zeros(x.shape[0], self.hidden),) * count
        states = tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
        made = CELLS[self.kind](self.ih(x), self.hh(states[0]), states)
        return made if count == 2 else made[0]


class Layers(nn.Module):
    """Layers over a sequence, unrolled; inside, the batch comes first, as Programs have it."""

    def __init__(
        self,
        kind: str,
        hidden: int,
        pairs: Sequence[tuple[Dense, Dense]],
        *,
        where: str,
        batch_first: bool,
        bidirectional: bool,
    ) -> None:
        super().__init__()
        self.kind, self.hidden, self.where = kind, hidden, where
        self.batch_first, self.directions = batch_first, 2 if bidirectional else 1
        self.layers = len(pairs) // self.directions
        for index, (ih, hh) in enumerate(pairs):
            self.add_module(f"ih_{self._name(index)}", ih)
            self.add_module(f"hh_{self._name(index)}", hh)

    def _name(self, index: int) -> str:
        """Return ``l0``, ``l0_reverse``, ...: as nn.LSTM's parameters are called."""
        return f"l{index // self.directions}{'_reverse' * (index % self.directions)}"

    def forward(self, x: Any, hx: Any = None) -> Any:
        """Return what torch's layer returns for [steps, batch, inputs], or batch first."""
        if not isinstance(x, torch.Tensor):
            raise ModelError(PACKED, where=self.where)
        x = x if self.batch_first else x.transpose(0, 1)
        steps = x.shape[1]
        if not isinstance(steps, int):
            raise ModelError(UNROLLED, where=self.where, accepted=A_CELL)
        if not 1 <= steps <= MAX_STEPS:
            raise ModelError(
                f"its sequence has {steps} steps",
                where=self.where,
                accepted=f"a fixed number of steps, 1 to {MAX_STEPS}",
            )
        states = self._begin(x, hx)
        ends: list[States] = []
        for layer in range(self.layers):
            made = []
            for direction in range(self.directions):
                index = layer * self.directions + direction
                y, end = self._direction(x, index, tuple(state[index] for state in states))
                made.append(y)
                ends.append(end)
            x = torch.cat(made, -1) if len(made) > 1 else made[0]
        last = tuple(torch.stack(parts) for parts in zip(*ends, strict=True))
        y = x if self.batch_first else x.transpose(0, 1)
        return y, last if self.kind == "LSTM" else last[0]

    def _begin(self, x: Tensor, hx: Any) -> States:
        if hx is not None:
            return tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
        shape = self.layers * self.directions, x.shape[0], self.hidden
        return (x.new_zeros(shape),) * (2 if self.kind == "LSTM" else 1)

    def _direction(self, x: Tensor, index: int, states: States) -> tuple[Tensor, States]:
        """Return the hidden states of all steps, in the order of time, and the last states."""
        name = self._name(index)
        given, hh = self.get_submodule(f"ih_{name}")(x), self.get_submodule(f"hh_{name}")
        order = range(x.shape[1])
        made: list[Tensor] = []
        for step in reversed(order) if index % self.directions else order:
            states = CELLS[self.kind](given[:, step], hh(states[0]), states)
            made.append(states[0])
        return torch.stack(made[::-1] if index % self.directions else made, 1), states
