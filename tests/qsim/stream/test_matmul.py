"""Products of two tensors in the command stream equal the interpreter's."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models as hw
from qsim.program.attributes import format_to_json
from qsim.program.program import Program, TensorSpec
from tests.qsim.stream.programs import Maker
from tests.qsim.stream.test_stream import check


def product(seed: int) -> Program:
    """Return a product of any sizes, and what usually follows."""
    maker = Maker(seed)
    bits = (8, 8, 16)[seed % 3]
    rows, depth, columns = (maker.integer(1, top) for top in (5, 20, 40))
    leading = maker.pick((-1,), (-1, 3))
    shapes = {"x0": (*leading, rows, depth), "x1": (*leading, depth, columns)}
    for name, shape in shapes.items():
        signed = maker.signed or bits == 16
        form = hw.FixedFormat(bits if name == "x0" else 8, signed)
        maker.tensors[name] = TensorSpec(name, shape, form)
    attributes = {
        "a_zero_point": 0 if bits == 16 else maker.code(), "b_zero_point": maker.code(),
        "accumulator": {"bits": 32, "overflow": "wrap", "at": "sum", "order": "channel_first"},
    }  # fmt: skip
    y = maker.call("matmul", ("x0", "x1"), attributes)
    kind = seed % 4
    if kind == 0:
        outputs = [y]
    elif kind == 1:
        codes = {
            "scheme": maker.encoded(hw.FixedPoint.from_scale(2.0**-9, rounding="single")),
            "zero_point": 3, "input_zero_point": 0, "output": format_to_json(hw.FixedFormat(16)),
            "clamp": None, "axis": 1,
        }  # fmt: skip
        outputs = [maker.call("requantize", (y,), codes)]
    else:
        outputs = [maker.after(y, columns, len(shapes["x0"]) - 1)]
    return Program(
        "p", ("x0", "x1"), tuple(outputs), maker.tensors, maker.constants, tuple(maker.calls)
    )


@pytest.mark.parametrize("seed", range(24))
def test_products_of_two_tensors(seed: int) -> None:
    program = product(seed)
    for batch in (1, 2, 5):
        check(program, batch, seed)


def test_they_are_commands() -> None:
    reasons = [c.reason for seed in range(24) for c in product(seed).stream().compiled.commands]
    assert "the loop has no matmul" not in reasons
    ours = sum(
        all(c.op is not None for c in product(seed).stream().compiled.commands)
        for seed in range(24)
    )
    assert ours >= 12


def test_the_extremes_of_a_product() -> None:
    program = product(2)
    shapes = [(2, *program.tensors[name].shape[1:]) for name in program.inputs]
    for low in (-32768, 32767):
        a, b = np.full(shapes[0], low, np.int16), np.full(shapes[1], -128, np.int8)
        b[..., ::2] = 127
        (wanted,) = program.run(a, b, trace=lambda *_: None)
        np.testing.assert_array_equal(program.run(a, b)[0], wanted)


@pytest.mark.parametrize("constant", ["", "z0", "z1", "z0 z1"])
@pytest.mark.parametrize("form", [hw.FixedFormat(8), hw.FixedFormat(8, signed=False)])
def test_zero_points_of_run_time(form: hw.FixedFormat, constant: str) -> None:
    maker = Maker(1)
    for name, shape in (("x0", (-1, 2, 3, 5)), ("x1", (-1, 2, 5, 7))):
        maker.tensors[name] = TensorSpec(name, shape, form)
    points = ["z0", "z1"]
    for at, name in enumerate(points):
        if name in constant:
            points[at] = maker.constant(np.array([[3 + at]]).astype(form.dtype))
        else:
            maker.tensors[name] = TensorSpec(name, (1, 1), form)
    accumulator = {"bits": 32, "overflow": "wrap", "at": "sum", "order": "channel_first"}
    y = maker.call("dynamic_matmul", ("x0", "x1", *points), {"accumulator": accumulator})
    inputs = tuple(name for name in ("x0", "x1", *points) if name in maker.tensors)
    program = Program("p", inputs, (y,), maker.tensors, maker.constants, tuple(maker.calls))
    assert all(command.op is not None for command in program.stream(2).compiled.commands)
    for batch in (1, 4):
        check(program, batch, batch)
