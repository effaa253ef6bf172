"""Float32 around products, parameters of run time: in the stream every bit is the interpreter's."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from hw_models import FLOAT32, FixedFormat
from qsim.errors import QsimError
from qsim.program import Call, Program, TensorSpec
from qsim.program.attributes import format_to_json

EPS = float(np.finfo(np.float32).eps)
RULES = {
    "fbgemm": {"formula": "fbgemm", "low": 0, "high": 127, "symmetric": False, "eps": EPS},
    "onnx": {"formula": "onnx", "low": 0, "high": 255, "symmetric": False, "eps": EPS},
    "torch": {"formula": "torch", "low": -128, "high": 127, "symmetric": False, "eps": EPS},
    "middle": {"formula": "torch", "low": -128, "high": 127, "symmetric": True, "eps": EPS},
    "power": {"formula": "power-of-two", "low": -128, "high": 127, "symmetric": False, "eps": EPS},
}


def layer(
    rule: str = "fbgemm",
    *,
    depth: int = 20,
    outputs: int = 21,
    rows: bool = False,
    formula: str = "fbgemm",
    bias: bool = True,
    fused: bool = True,
    order: str = "product",
    early: bool = False,
    inner: tuple[int, ...] = (),
) -> Program:
    """Return a dense layer whose operand is quantized at run time, its values too."""
    rng = np.random.default_rng(outputs)
    weight = rng.integers(-127, 128, (outputs, depth)).astype(np.int8)
    codes = FixedFormat(8, signed=RULES[rule]["low"] < 0)
    shape = (-1, *inner, depth)
    one = (*shape[:-1], 1) if rows else (1,) * len(shape)
    axes = [len(shape) - 1] if rows else list(range(len(shape)))
    formats: dict[str, Any] = {
        "x": (shape, FLOAT32), "r": ((*one, 2), FLOAT32), "s": (one, FLOAT32), "z": (one, codes),
        "q": (shape, codes), "acc": ((*shape[:-1], outputs), FixedFormat(32)),
        "y": ((*shape[:-1], outputs), FLOAT32), "back": (shape, FLOAT32),
    }  # fmt: skip
    sums = {
        "weight_scale": {"constant": "ws"}, "weight_sum": {"constant": "sum"},
        "bias": {"constant": "b"} if bias else None, "fused": fused, "order": order,
    }  # fmt: skip
    accumulator = {"bits": 32, "overflow": "wrap"}
    products = {"x_zero_point": 0, "weight_zero_point": 0, "accumulator": accumulator}
    output = format_to_json(codes)
    calls = [
        Call("a", "", "min_max", ("x",), "r", {"axes": axes}),
        Call("b", "", "choose_scale", ("r",), "s", RULES[rule]),
        Call("c", "", "choose_zero_point", ("r",), "z", RULES[rule]),
        Call("d", "", "quantize", ("x", "s", "z"), "q", {"formula": formula, "output": output}),
        Call("e", "layer", "linear", ("q", "w"), "acc", products),
        Call("f", "", "dequantize_sums", ("acc", "s", "z"), "y", sums),
        Call("g", "", "dequantize", ("q", "s", "z"), "back", {"formula": formula}),
    ]
    constants = {
        "w": weight, "sum": weight.astype(np.int64).sum(1),
        "ws": (rng.random(outputs) + 0.01).astype(np.float32),
        "b": rng.standard_normal(outputs).astype(np.float32),
    }  # fmt: skip
    if not bias:
        del constants["b"]
    inputs: tuple[str, ...] = ("x",)
    if early:  # the codes come from outside: the products are made before scale and zero point
        calls = [calls[4], *calls[:3], *calls[5:]]
        inputs = ("x", "q")
    specs = {name: TensorSpec(name, *form) for name, form in formats.items()}
    return Program("p", inputs, ("y", "back"), specs, constants, tuple(calls))


def values(program: Program, batch: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    made = []
    for name in program.inputs:
        shape = (batch, *program.tensors[name].shape[1:])
        made.append((rng.standard_normal(shape) * 3).astype(np.float32))
        if name == "q":
            made[-1] = rng.integers(0, 128, shape).astype(np.uint8)
    return made


def ran(program: Program, arrays: list[np.ndarray], **how: Any) -> Any:
    """Return the bits of the outputs, or the text of an error."""
    with np.errstate(all="ignore"):
        try:
            made = [np.ascontiguousarray(y).reshape(-1) for y in program.run(*arrays, **how)]
            return np.concatenate(made).view(np.int32)
        except QsimError as error:
            return f"{type(error).__name__}: {error}"


def check(program: Program, arrays: list[np.ndarray]) -> Any:
    wanted = ran(program, arrays, trace=lambda *_: None)
    for threads in (1, 2):
        np.testing.assert_array_equal(ran(program, arrays, threads=threads), wanted)
    return wanted


@pytest.mark.parametrize("rule", RULES)
def test_every_bit(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    formulas = itertools.cycle(("torch", "executorch", "onnx", "tflite", "fbgemm"))
    for rows, (bias, fused) in itertools.product(
        (False, True), ((False, True), (True, False), (True, True))
    ):
        program = layer(rule, rows=rows, bias=bias, fused=fused, formula=next(formulas))
        commands = program.stream(5).compiled.commands
        assert all(command.op is not None for command in commands)
        assert [command.calls for command in commands if 4 in command.calls] == [(4, 5)]
        for batch in (1, 5, 40):
            check(program, values(program, batch))


@pytest.mark.parametrize("outputs", [1, 16, 40])
def test_blocks_of_outputs(outputs: int) -> None:
    program = layer(depth=70, outputs=outputs, rows=True, inner=(3,))
    check(program, values(program, 7))


def test_products_that_come_before_their_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    program = layer(early=True)
    commands = program.stream(3).compiled.commands
    assert all(command.op is not None for command in commands)
    assert (0,) in [command.calls for command in commands]
    check(program, values(program, 3))


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_scale_of_rows_that_is_taken_first(
    early: bool, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the products in registers, and from the arena."""
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    program = layer(bias=bias, fused=False, order="row_first", early=early)
    commands = program.stream(3).compiled.commands
    assert all(command.op is not None for command in commands)
    arrays = values(program, 3)
    other = layer(bias=bias, fused=False, early=early)
    assert not np.array_equal(check(program, arrays), ran(other, arrays))


def test_halves_and_ends_of_codes() -> None:
    """Quotients halfway between codes, beyond the codes, of both signs, of every formula."""
    halves = np.arange(-300, 300, 0.25, np.float32).reshape(1, -1)
    halves = np.concatenate([halves, [[-0.0, np.inf, -np.inf, 3e38, 1e-45] + [0.0] * 11]], 1)
    for bits, formula in itertools.product(
        (5, 8, 12, 16), ("torch", "executorch", "onnx", "tflite", "fbgemm")
    ):
        codes = FixedFormat(bits)
        specs = {
            "x": TensorSpec("x", (-1, halves.size), FLOAT32),
            "q": TensorSpec("q", (-1, halves.size), codes),
        }
        constants = {"s": np.array(0.5, np.float32), "z": np.array(3, np.int8)}
        attributes = {"formula": formula, "output": format_to_json(codes)}
        call = Call("a", "", "quantize", ("x", "s", "z"), "q", attributes)
        program = Program("p", ("x",), ("q",), specs, constants, (call,))
        assert program.stream(1).compiled.commands[1].op is not None
        arrays = [np.ascontiguousarray(halves, np.float32)]
        (wanted,) = program.run(*arrays, trace=lambda *_: None)
        np.testing.assert_array_equal(program.run(*arrays)[0], wanted)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_finite_is_refused_by_name(
    rows: bool, bad: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    program = layer("torch", rows=rows)
    (x,) = values(program, 33)
    x[31, 19], x[31, 2] = bad, -3e38
    wanted = check(program, [x])
    assert isinstance(wanted, str)
    assert "call 'b'" in wanted
    assert ("(31, 0)" if rows else "(0, 0)") in wanted
    check(program, values(program, 33))  # and the next run is whole


def test_a_row_of_its_own_is_no_part_of_a_batch() -> None:
    """A range of the whole batch: samples do not run apart."""
    assert not layer().stream(1).splits
    assert layer(rows=True).stream(1).splits


@pytest.mark.parametrize("fixed", ["s", "z"])
def test_one_parameter_may_be_a_constant(fixed: str) -> None:
    codes, one = FixedFormat(8), (1, 1)
    output = format_to_json(codes)
    calls = (
        Call("q", "", "quantize", ("x", "s", "z"), "q", {"formula": "torch", "output": output}),
        Call("d", "", "dequantize", ("q", "s", "z"), "d", {"formula": "onnx"}),
    )
    kept = {"s": np.float32([[0.03]]), "z": np.int8([[-7]])}
    specs = {"x": TensorSpec("x", (-1, 9), FLOAT32), "s": TensorSpec("s", one, FLOAT32),
             "z": TensorSpec("z", one, codes), "q": TensorSpec("q", (-1, 9), codes),
             "d": TensorSpec("d", (-1, 9), FLOAT32)}  # fmt: skip
    del specs[fixed]
    (other,) = {"s", "z"} - {fixed}
    program = Program("p", ("x", other), ("q", "d"), specs, {fixed: kept[fixed]}, calls)
    assert all(command.op is not None for command in program.stream(3).compiled.commands)
    check(program, [np.linspace(-9, 9, 27, dtype=np.float32).reshape(3, 9), kept[other]])
