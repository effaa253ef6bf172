"""Networks of 16-bit codes in the command stream equal the interpreter, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hw_models as hw
from hw_models.add import ShiftedAdd
from qsim.program.attributes import format_to_json
from qsim.program.program import Program, TensorSpec
from tests.qsim.stream.programs import Maker
from tests.qsim.stream.test_stream import check

SUM = {"bits": 64, "overflow": "wrap"}
CODES = hw.FixedFormat(16)


class Wide(Maker):
    """Makes calls of 16-bit codes, as the target tflite-int16x8 does."""

    def correlate(self, x: str, outputs: int, groups: int = 1, kernel: int = 3) -> str:
        """Add a correlation with a 64-bit bias and a requantize."""
        channels = self.tensors[x].shape[1]
        shape = (outputs, channels // groups, kernel, kernel)
        weight = self.constant(self.rng.integers(-127, 128, shape).astype(np.int8))
        attributes = {
            "stride": [self.pick(1, 2)] * 2, "padding": [[1, 1], [0, 2]], "dilation": [1, 1],
            "groups": groups, "x_zero_point": 0, "weight_zero_point": 0, "pad_value": 0,
            "accumulator": SUM | {"at": "sum", "order": "channel_last"},
        }  # fmt: skip
        acc = self.call("correlation", (x, weight), attributes)
        bias = self.constant(self.rng.integers(-(1 << 24), 1 << 24, outputs))
        acc = self.call("bias_add", (acc, bias), {"axis": 1, "accumulator": SUM})
        return self.rescaled(acc, self.pick(1, outputs), self.pick(CODES, hw.FixedFormat(12)))

    def rescaled(self, acc: str, channels: int, output: hw.FixedFormat) -> str:
        """Add a requantize to 16 bits, with any of its roundings."""
        scales = 2.0 ** self.rng.uniform(-12, -6, channels)
        rounding = self.pick("s64-reduced", "s64-reduced", "single")
        scheme = hw.FixedPoint.from_scale(
            scales if channels > 1 else float(scales[0]), rounding=rounding
        )
        low, high = sorted(int(v) for v in self.rng.integers(output.min, output.max + 1, 2))
        attributes = {
            "scheme": self.encoded(scheme), "zero_point": self.pick(0, 5), "input_zero_point": 0,
            "output": format_to_json(output), "clamp": self.pick(None, [low, high]), "axis": 1,
        }  # fmt: skip
        return self.call("requantize", (acc,), attributes)

    def total(self, a: str, b: str, clamp: Any = None) -> str:
        """Add a sum of two."""
        s, t, u = (float(2.0 ** self.rng.uniform(-4, 1)) for _ in range(3))
        rounding = self.pick("double", "double-half-up", "single")
        scheme = ShiftedAdd.from_scales(s, t, u, 15, rounding)
        attributes = {
            "scheme": self.encoded(scheme), "a_zero_point": 0, "b_zero_point": 0,
            "zero_point": self.pick(0, -7), "output": format_to_json(CODES), "clamp": clamp,
        }  # fmt: skip
        return self.call("add", (a, b), attributes)


def wide_program(seed: int) -> Program:
    """Return a small network with windows of each kind, a residual sum, pools and a table."""
    maker = Wide(seed)
    maker.signed = True
    channels = (3, 16, 18)[seed % 3]
    maker.tensors["x0"] = TensorSpec("x0", (-1, channels, 7, 8), CODES)
    y = maker.correlate("x0", channels, *(((channels, 3)) if seed % 2 else (1, 1)))
    y = maker.total(
        y, maker.call("clamp", (y,), {"lo": -900, "hi": 2000}), (None, [0, 31000])[seed % 2]
    )
    y = maker.pool(y)
    y = maker.correlate(y, 2 * channels if channels > 3 else 5, 2 if channels == 16 else 1, 1)
    y = maker.pool(y)
    other = maker.constant(
        maker.rng.integers(-30000, 30000, (maker.tensors[y].shape[1], 1, 1)).astype(np.int16)
    )
    y = maker.total(y, other)
    return Program("p", ("x0",), (y,), maker.tensors, maker.constants, tuple(maker.calls))


@pytest.mark.parametrize("seed", range(18))
def test_networks_of_16_bits(seed: int) -> None:
    program = wide_program(seed)
    reasons = {command.reason for command in program.stream().compiled.commands}
    assert reasons == {""}
    for batch in (1, 2, 5):
        check(program, batch, seed)


def test_the_extremes_of_16_bits() -> None:
    program = wide_program(1)
    shape = (2, *program.tensors["x0"].shape[1:])
    for low, high in ((-32768, -32768), (32767, 32767), (-32768, 32767)):
        x = np.full(shape, low, np.int16)
        x[..., ::2] = high
        (wanted,) = program.run(x, trace=lambda *_: None)
        np.testing.assert_array_equal(program.run(x)[0], wanted)


def test_sums_beyond_32_bits_are_the_interpreters() -> None:
    maker = Wide(0)
    maker.tensors["x0"] = TensorSpec("x0", (-1, 600, 2, 2), CODES)
    weight = maker.constant(np.full((4, 600, 1, 1), 127, np.int8))
    attributes = {
        "stride": [1, 1], "padding": [[0, 0], [0, 0]], "dilation": [1, 1], "groups": 1,
        "x_zero_point": 0, "weight_zero_point": 0, "pad_value": 0,
        "accumulator": SUM | {"at": "sum", "order": "channel_last"},
    }  # fmt: skip
    acc = maker.call("correlation", ("x0", weight), attributes)
    y = maker.rescaled(acc, 1, CODES)
    program = Program("p", ("x0",), (y,), maker.tensors, maker.constants, tuple(maker.calls))
    reasons = [command.reason for command in program.stream().compiled.commands]
    assert "the 64-bit accumulator may overflow (wrap)" not in reasons
    assert "a sum may exceed 32 bits" in reasons
    check(program, 2)
