"""Random Programs that move codes: slices, gathers, concats, pads, reshapes, and their readers."""

from __future__ import annotations

from typing import Any

import numpy as np

import hw_models as hw
from qsim.program.attributes import format_to_json
from qsim.program.program import Program
from tests.qsim.stream.programs import Maker


class Mover(Maker):
    """Adds moves to a Program; every tensor keeps its batch."""

    def shape(self, x: str) -> tuple[int, ...]:
        """Return the sizes of a tensor."""
        return self.tensors[x].shape

    def slice(self, x: str, least: int = 1) -> str:
        """Add a slice of any start, step and size; the batch stays."""
        starts, steps, sizes = [0], [1], [-1]
        whole = self.integer(1, len(self.shape(x)) - 1) if self.rng.random() < 0.7 else 0
        for axis, length in enumerate(self.shape(x)[1:], 1):
            step = self.pick(1, 1, 1, -1, 0, 2)
            if whole and axis != whole:
                starts, steps, sizes = [*starts, 0], [*steps, 1], [*sizes, length]
                continue
            reach = max(1, abs(step))
            size = (
                self.integer(min(least, length), length)
                if step == 0
                else self.integer(1, -(-length // reach))
            )
            span = (size - 1) * abs(step)
            first = self.integer(0, length - 1 - span)
            starts.append(first + span if step < 0 else first)
            steps.append(step)
            sizes.append(size)
        return self.call("strided_slice", (x,), {"starts": starts, "steps": steps, "sizes": sizes})

    def gather(self, x: str) -> str:
        """Add a gather of any positions, some of them in a row."""
        axis = self.integer(1, len(self.shape(x)) - 1)
        length = self.shape(x)[axis]
        positions = self.rng.integers(0, length, self.integer(1, length + 2))
        if self.rng.random() < 0.3:
            positions = np.arange(self.integer(0, length - 1), length)
        given = self.pick(axis, axis - len(self.shape(x)))
        return self.call("gather", (x, self.constant(positions.astype(np.int32))), {"axis": given})

    def concat(self, *operands: str) -> str:
        """Add a concat, some of whose operands are rescaled."""
        axis = self.integer(1, len(self.shape(operands[0])) - 1)
        output = hw.FixedFormat(8, self.signed)
        schemes = [
            self.encoded(hw.FixedPoint.from_scale(float(self.rng.uniform(0.3, 1.7))))
            if self.rng.random() < 0.2
            else None
            for _ in operands
        ]
        return self.call(
            "concat",
            operands,
            {
                "axis": self.pick(axis, axis - len(self.shape(operands[0]))),
                "schemes": schemes,
                "zero_points": [self.code() for _ in operands],
                "zero_point": self.code(),
                "output": format_to_json(output),
            },
        )

    def pad(self, x: str) -> str:
        """Add a pad of any mode."""
        mode = self.pick("constant", "constant", "edge", "reflect", "symmetric")
        most = {"reflect": 1, "symmetric": 0}
        pads = [[0, 0]]
        for length in self.shape(x)[1:]:
            room = min(2, length - most[mode]) if mode in most else 2
            pads.append([self.integer(0, max(0, room)), self.integer(0, max(0, room))])
        form = self.tensors[x].format
        value = self.integer(form.min, form.max)
        return self.call("pad", (x,), {"pads": pads, "value": value, "mode": mode})

    def reshape(self, x: str) -> str:
        """Add a reshape of what follows the batch."""
        sizes = [int(n) for n in self.rng.permutation(self.shape(x)[1:])]
        return self.call("reshape", (x,), {"shape": [0, *self.pick(sizes, [-1], [*sizes, 1])]})

    def spread(self, x: str) -> str:
        """Add a sum with what is broadcast, or constant."""
        shape = self.shape(x)
        kept = [n if self.rng.random() < 0.5 else 1 for n in shape[1:]]
        kind = np.int8 if self.signed else np.uint8
        other: str
        if self.rng.random() < 0.5:
            sizes = self.pick(kept, [1] * len(kept), kept[1:] or [1])
            other = self.constant(self.rng.integers(0, 100, sizes).astype(kind))
        else:
            attributes = {
                "starts": [0] * len(shape), "steps": [1] * len(shape), "sizes": [-1, *kept],
            }  # fmt: skip
            other = self.call("strided_slice", (x,), attributes)
        return self.add(*self.pick((x, other), (other, x)))


STEPS = ("slice", "slice", "gather", "concat", "concat", "pad", "permute", "reshape", "clamp",
         "spread", "add", "lookup")  # fmt: skip


def moving_program(seed: int) -> Program:
    """Return a Program of about a dozen moves, often of one tensor, with a few outputs."""
    maker = Mover(seed)
    sizes: Any = [maker.pick(1, 2, 4, 16), maker.pick(1, 3, 8), maker.pick(2, 4, 16)]
    known = [maker.input(*sizes[: maker.integer(1, 3)]) for _ in range(maker.integer(1, 2))]
    for _ in range(maker.integer(6, 12)):
        step = maker.pick(*STEPS)
        x = known[-1] if maker.rng.random() < 0.5 else maker.pick(*known)
        if step == "concat":
            shape = maker.tensors[x].shape
            like = [name for name in known if maker.tensors[name].shape == shape]
            operands = [maker.pick(*like) for _ in range(maker.integer(1, 4))]
            y = maker.concat(*operands)
        elif step == "add":
            y = maker.add(x, maker.clamp(x))
        else:
            y = getattr(maker, step)(x)
        if maker.tensors[y].format.bits > 8:
            y = narrow(maker, y)
        if int(np.prod(maker.tensors[y].shape[1:])) <= 2000:
            known.append(y)
    outputs = {known[-1], *(maker.pick(*known[1:] or known) for _ in range(maker.integer(0, 2)))}
    if maker.rng.random() < 0.5:  # windows have their channels innermost
        images = [name for name in known if len(maker.tensors[name].shape) == 4]
        outputs |= {maker.pool(name) for name in images[-1:]}
    inputs = tuple(name for name in maker.tensors if name.startswith("x"))
    calls = tuple(maker.calls)
    made = sorted(outputs - set(inputs)) or [calls[-1].output]
    return Program("p", inputs, tuple(made), maker.tensors, maker.constants, calls)


def narrow(maker: Mover, x: str) -> str:
    """Bring codes of 12 bits back to 8 by a table."""
    form, output = maker.tensors[x].format, hw.FixedFormat(8, maker.signed)
    codes = np.arange(form.min, form.max + 1)
    table = np.clip(codes >> 4, output.min, output.max).astype(output.dtype)
    attributes = {"table": {"constant": maker.constant(table)}, "output": format_to_json(output)}
    return maker.call("lookup", (x,), attributes)
