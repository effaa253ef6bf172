"""Operators on float32 values in the compiled loop: every bit is the interpreter's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models import FLOAT32
from qsim.program import Call, Program, TensorSpec
from qsim.program.primitives import PRIMITIVES, Operand

Array = np.ndarray[Any, Any]
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42, -3e38, 104.5)


def of(primitive: str, operands: dict[str, Any], attributes: dict[str, Any]) -> Program:
    """One call: shapes are inputs, arrays constants; ``w`` and ``b`` are the call's own."""
    constants = {k: v for k, v in operands.items() if isinstance(v, np.ndarray)}
    names = tuple(name for name in operands if name not in ("w", "b"))
    given = [
        Operand(constants[n].shape, FLOAT32, constants[n]) if n in constants
        else Operand(operands[n], FLOAT32) for n in names
    ]  # fmt: skip
    shape, form = PRIMITIVES[primitive].infer(given, attributes)
    inputs = tuple(name for name in names if name not in constants)
    specs = {n: TensorSpec(n, operands[n], FLOAT32) for n in inputs}
    specs["y"] = TensorSpec("y", shape, form)
    calls = (Call("call", "", primitive, names, "y", attributes),)
    return Program("p", inputs, ("y",), specs, constants, calls)


def drawn(shape: tuple[int, ...], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    made = (rng.standard_normal(shape) * 3).astype(np.float32)
    if made.size > 20:
        made.reshape(-1)[rng.integers(0, made.size, len(SPECIAL))] = SPECIAL
    return made


def check(program: Program, *, command: bool = True) -> None:
    for batch in (1, 3):
        commands = program.stream(batch).compiled.commands
        assert all(each.op is not None for each in commands) is command
        shapes = [program.tensors[name].shape for name in program.inputs]
        arrays = [
            drawn(tuple(batch if size == -1 else size for size in shape), seed)
            for seed, shape in enumerate(shapes, batch)
        ]
        with np.errstate(all="ignore"):
            (wanted,) = program.run(*arrays, trace=lambda *_: None)
            for threads in (1, 2):
                (made,) = program.run(*arrays, threads=threads)
                np.testing.assert_array_equal(made.view(np.int32), wanted.view(np.int32))


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)


@pytest.mark.parametrize("primitive", ["float_add", "float_mul"])
def test_two_tensors_that_broadcast(primitive: str) -> None:
    row, one = drawn((5,), 1), np.full((1, 1, 1), 0.3, np.float32)
    for a, b in (
        ((-1, 4, 5), (-1, 4, 5)),
        ((-1, 4, 5), row),
        (one, (-1, 4, 5)),
        ((-1, 4, 1), (-1, 1, 5)),
        ((3, 4), (-1, 2, 1, 4)),
        ((-1, 4, 1, 3), (-1, 1, 5, 1)),
        (drawn((4, 1), 2), (-1, 4, 5)),
        ((-1, 40), (-1, 40)),
    ):
        check(of(primitive, {"a": a, "c": b}, {}))


@pytest.mark.parametrize("function", ["relu", "exp", "erf", "gelu", "tanh"])
def test_functions(function: str) -> None:
    check(of("float_function", {"x": (-1, 5, 7)}, {"function": function}))


@pytest.mark.parametrize("lanes", [1, 8, 16, 64])
def test_softmax(lanes: int) -> None:
    for size in (1, 7, 41):
        check(of("float_softmax", {"x": (-1, 3, size)}, {"lanes": lanes}))


@pytest.mark.parametrize(("dims", "lanes", "size"), [(1, 8, 5), (2, 4, 70), (1, 1, 140)])
def test_layer_norm(dims: int, lanes: int, size: int) -> None:
    row = (3, size)[-dims:]
    tables = {"w": drawn(row, 1), "b": drawn(row, 2)}
    tables = {name: np.nan_to_num(table, posinf=1, neginf=1) for name, table in tables.items()}
    for held in ((), ("w",), ("w", "b")):
        attributes: dict[str, Any] = {"dims": dims, "lanes": lanes, "eps": 1e-5}
        for name, key in (("w", "weight"), ("b", "bias")):
            attributes[key] = {"constant": name} if name in held else None
        operands: dict[str, Any] = {"x": (-1, 3, size)} | {name: tables[name] for name in held}
        check(of("float_layer_norm", operands, attributes))


@pytest.mark.parametrize("fused", [True, False])
def test_products_of_matrices(fused: bool) -> None:
    for a, b in (
        ((-1, 2, 3, 9), (-1, 2, 9, 5)),
        ((-1, 3, 9), (9, 5)),
        (drawn((2, 1, 3), 5), (-1, 1, 3, 4)),
        ((-1, 2, 3, 17), drawn((17, 20), 3)),
        ((-1, 1, 3, 8), (1, 4, 8, 2)),
    ):
        check(of("float_matmul", {"a": a, "c": b}, {"fused": fused}))


def test_what_lies_channels_innermost_is_copied() -> None:
    """A pooling wants its operands so; what is computed of them lies in logical order."""
    from hw_models import FixedFormat
    from qsim.program.attributes import format_to_json

    codes, shape = FixedFormat(8), (-1, 3, 4, 4)
    output = {"formula": "torch", "output": format_to_json(codes)}
    pool = {"kernel": [1, 1], "stride": None, "padding": 0, "ceil_mode": False, "dilation": 1}
    calls = (
        Call("n", "", "float_layer_norm", ("x",), "n",
             {"dims": 2, "lanes": 8, "eps": 1e-5, "weight": None, "bias": None}),
        Call("a", "", "float_add", ("n", "x"), "a", {}),
        Call("q", "", "quantize", ("a", "s", "z"), "q", output),
        Call("p", "", "max_pool", ("q",), "p", pool),
    )  # fmt: skip
    floats = [TensorSpec(name, shape, FLOAT32) for name in "xna"]
    specs = [*floats, TensorSpec("q", shape, codes), TensorSpec("p", shape, codes)]
    constants = {"s": np.float32([[[[0.05]]]]), "z": np.int8([[[[3]]]])}
    program = Program("p", ("x",), ("p",), {s.name: s for s in specs}, constants, calls)
    x = np.random.default_rng(0).standard_normal((2, *shape[1:])).astype(np.float32)
    (made,), (wanted,) = program.run(x), program.run(x, trace=lambda *_: None)
    np.testing.assert_array_equal(made, wanted)
