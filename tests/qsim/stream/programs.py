"""Random Programs: windows of every kind, schemes, sums, pools and moves, in a random order."""

from __future__ import annotations

from typing import Any

import numpy as np

import hw_models as hw
from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd
from qsim.program.attributes import format_to_json
from qsim.program.primitives import PRIMITIVES, Operand, encode_scheme
from qsim.program.program import Call, Program, TensorSpec

Array = np.ndarray[Any, Any]


class Maker:
    """Adds calls to a Program, each reading what an earlier one made."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[str, TensorSpec] = {}
        self.constants: dict[str, Array] = {}
        self.calls: list[Call] = []
        self.signed = bool(self.rng.random() < 0.7)

    def pick(self, *choices: Any) -> Any:
        """Return one of the choices."""
        return choices[int(self.rng.integers(len(choices)))]

    def integer(self, low: int, high: int) -> int:
        """Return low..high."""
        return int(self.rng.integers(low, high + 1))

    def codes(self) -> hw.FixedFormat:
        """Return a format of codes."""
        return hw.FixedFormat(self.pick(8, 8, 8, 5), self.signed)

    def code(self) -> int:
        """Return a zero point."""
        return self.integer(-9, 9) if self.signed else self.integer(0, 20)

    def input(self, *shape: int) -> str:
        """Add an input."""
        name = f"x{len(self.tensors)}"
        self.tensors[name] = TensorSpec(name, (-1, *shape), hw.FixedFormat(8, self.signed))
        return name

    def call(self, primitive: str, inputs: tuple[str, ...], attributes: dict[str, Any]) -> str:
        """Add a call; return what it makes."""
        output = f"t{len(self.calls)}"
        operands = []
        for name in inputs:
            array = self.constants.get(name)
            if array is None:
                spec = self.tensors[name]
                operands.append(Operand(spec.shape, spec.format))
            else:
                form = hw.FixedFormat(array.dtype.itemsize * 8, array.dtype.kind == "i")
                operands.append(Operand(array.shape, form, array))
        shape, codes = PRIMITIVES[primitive].infer(operands, attributes)
        self.tensors[output] = TensorSpec(output, shape, codes)
        self.calls.append(Call(f"c{output}", "", primitive, inputs, output, attributes))
        return output

    def constant(self, array: Array) -> str:
        """Keep a constant; return its name."""
        name = f"k{len(self.constants)}"
        self.constants[name] = array
        return name

    # -- calls -----------------------------------------------------------------------------------

    def weight(self, *shape: int) -> tuple[str, int]:
        """Return weights and their zero point; now and then wider than a byte."""
        zero = self.pick(0, 0, 0, 5)
        return self.constant(self.rng.integers(-128, 128, shape).astype(np.int8)), zero

    def correlation(self, x: str) -> str:
        """Add a correlation, with what usually follows."""
        spatial = self.tensors[x].shape[2:]
        channels = self.tensors[x].shape[1]
        kind = self.pick("dense", "dense", "depthwise", "grouped")
        kernel = [self.integer(1, min(3, size)) for size in spatial]
        groups, outputs = 1, self.pick(1, 5, 8, 16, 19, 33, 64)
        if kind == "depthwise":
            groups = outputs = channels
        elif kind == "grouped" and channels % 2 == 0:
            groups, outputs = 2, 2 * self.pick(3, 8, 9, 20)
        weight, zero = self.weight(outputs, channels // groups, *kernel)
        fits = all(size >= 2 * k for size, k in zip(spatial, kernel, strict=True))
        attributes = {
            "stride": [self.integer(1, 3) for _ in kernel],
            "padding": [[self.integer(0, 2), self.integer(0, 2)] for _ in kernel],
            "dilation": [self.pick(1, 1, 2) if fits else 1 for _ in kernel],
            "groups": groups,
            "x_zero_point": self.code(),
            "weight_zero_point": zero,
            "pad_value": self.pick(None, None, self.code()),
            "accumulator": {"bits": 32, "overflow": "wrap", "at": "sum", "order": "channel_first"},
        }
        return self.after(self.call("correlation", (x, weight), attributes), outputs, 1)

    def linear(self, x: str) -> str:
        """Add a linear layer."""
        shape = self.tensors[x].shape
        outputs = self.pick(1, 10, 16, 40)
        weight, zero = self.weight(outputs, shape[-1])
        attributes = {
            "x_zero_point": self.code(),
            "weight_zero_point": zero,
            "accumulator": {"bits": 32, "overflow": "wrap", "at": "mac", "order": "channel_last"},
        }
        return self.after(
            self.call("linear", (x, weight), attributes), outputs, self.pick(-1, len(shape) - 1)
        )

    def after(self, acc: str, channels: int, axis: int) -> str:
        """Add a bias, now and then, and a requantize of any scheme."""
        if self.rng.random() < 0.8:
            bias = self.constant(self.rng.integers(-9999, 9999, channels).astype(np.int32))
            sums = {"axis": axis, "accumulator": {"bits": 32, "overflow": "wrap"}}
            acc = self.call("bias_add", (acc, bias), sums)
        output = self.codes()
        low, high = sorted(int(v) for v in self.rng.integers(output.min, output.max + 1, 2))
        y = self.call(
            "requantize",
            (acc,),
            {
                "scheme": self.encoded(self.requantizer(self.pick(1, channels))),
                "zero_point": self.code(),
                "input_zero_point": self.pick(0, 0, 0, 7),
                "output": format_to_json(output),
                "clamp": self.pick(None, [low, high]),
                "axis": axis,
            },
        )
        return self.clamp(y) if self.rng.random() < 0.3 else y

    def encoded(self, scheme: Any) -> Any:
        """Return a scheme as JSON."""
        return encode_scheme(scheme, f"s{len(self.calls)}", self.constants)

    def requantizer(self, channels: int) -> Any:
        """Return any scheme, for one or more channels."""
        scale = 2.0 ** self.rng.uniform(-13, -7, channels)
        shift = self.rng.integers(6, 14, channels)
        real, places = (scale, shift) if channels > 1 else (float(scale[0]), int(shift[0]))
        rounding = self.pick("half_even", "half_up", "half_away", "floor", "jam")
        return self.pick(
            hw.FixedPoint.from_scale(real),
            hw.FixedPoint.from_scale(real, rounding="single"),
            hw.FloatScale(real),
            hw.PowerOfTwo(places, rounding),
        )

    def add(self, a: str, b: str) -> str:
        """Add a sum of two tensors of one shape."""
        s, t, u = (float(2.0 ** self.rng.uniform(-4, 1)) for _ in range(3))
        scheme = self.pick(
            ShiftedAdd.from_scales(s, t, u),
            ShiftedAdd.from_scales(s, s, 2 * s),
            AlignedAdd.from_fractions(self.integer(0, 3), self.integer(0, 3), 1, "half_up"),
            MultiplierAdd.from_scales(s, t, u),
            FloatAdd(s, t, u),
        )
        output = self.codes()
        attributes = {
            "scheme": self.encoded(scheme),
            "a_zero_point": self.code(),
            "b_zero_point": self.code(),
            "zero_point": self.code(),
            "output": format_to_json(output),
            "clamp": self.pick(None, [0, 14]),
        }
        return self.call("add", (a, b), attributes)

    def clamp(self, x: str) -> str:
        """Add a clamp."""
        form = self.tensors[x].format
        low, high = sorted(int(v) for v in self.rng.integers(form.min, form.max + 1, 2))
        return self.call("clamp", (x,), {"lo": low, "hi": high})

    def lookup(self, x: str) -> str:
        """Add a table."""
        form, output = self.tensors[x].format, hw.FixedFormat(self.pick(8, 8, 12), self.signed)
        size = form.max - form.min + 1
        table = self.rng.integers(output.min, output.max + 1, size).astype(output.dtype)
        attributes = {"table": {"constant": self.constant(table)}, "output": format_to_json(output)}
        return self.call("lookup", (x,), attributes)

    def pool(self, x: str) -> str:
        """Add a pooling."""
        spatial = self.tensors[x].shape[2:]
        kernel: Any = [self.integer(1, min(3, size)) for size in spatial]
        stride: Any = self.pick(None, [self.integer(1, 2) for _ in kernel])
        padding: Any = [self.integer(0, k // 2) for k in kernel]
        if self.rng.random() < 0.3:
            kernel, stride, padding = None, None, 0
        common = {"kernel": kernel, "stride": stride, "padding": padding, "ceil_mode": False}
        if self.rng.random() < 0.5:
            return self.call("max_pool", (x,), common | {"dilation": 1})
        rounding = self.pick("half_away", "half_even", "half_up", "floor", "toward_zero")
        more = {"rounding": rounding, "count_include_pad": bool(self.rng.random() < 0.5)}
        return self.call("avg_pool", (x,), common | more | {"zero_point": self.code()})

    def flat(self, x: str) -> str:
        """Add a reshape to one dimension."""
        return self.call("reshape", (x,), {"shape": [0, -1]})

    def permute(self, x: str) -> str:
        """Add a permute of all but the batch."""
        rank = len(self.tensors[x].shape)
        order = [0, *(int(i) + 1 for i in self.rng.permutation(rank - 1))]
        return self.call("permute", (x,), {"dims": order})


def random_program(seed: int) -> Program:
    """Return a Program of about ten calls with one or two outputs."""
    maker = Maker(seed)
    height, width = maker.integer(5, 14), maker.integer(5, 14)
    shape = (maker.pick(1, 3, 8, 16, 20), height, width)
    x = maker.input(*(shape if seed % 5 else shape[:2]))
    for _ in range(maker.integer(2, 5)):
        step = maker.pick("correlation", "correlation", "pool", "clamp", "add", "lookup")
        if maker.tensors[x].format.bits > 8 or min(maker.tensors[x].shape[2:]) < 3:
            break
        y = maker.add(x, maker.clamp(x)) if step == "add" else getattr(maker, step)(x)
        if maker.tensors[y].shape == maker.tensors[x].shape and maker.rng.random() < 0.5:
            y = maker.add(x, y) if maker.tensors[y].format.bits <= 8 else y
        x = y
    outputs = [x]
    if maker.rng.random() < 0.3:
        x = maker.permute(x)
    if maker.tensors[x].format.bits <= 8:
        x = maker.linear(maker.flat(x))
        outputs = [*outputs, x] if maker.rng.random() < 0.3 else [x]
    made = {name for call in maker.calls for name in call.inputs} | set(outputs)
    used = dict(maker.tensors)
    assert made <= used.keys() | maker.constants.keys()
    inputs = tuple(name for name in maker.tensors if name.startswith("x"))
    return Program("p", inputs, tuple(outputs), used, maker.constants, tuple(maker.calls))
