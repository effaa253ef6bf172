"""Weights in groups: in the stream every bit is the interpreter's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hw_models import FLOAT32, FixedFormat
from hw_models.stream.tiles import BYTES
from qsim.errors import ModelError
from qsim.program import Call, Program, TensorSpec
from tests.qsim.program.reference import interpret


def layer(
    depth: int,
    outputs: int,
    groups: int,
    *,
    order: str = "row",
    fused: bool = False,
    plain: bool = False,
    signed: bool = True,
    rows: bool = True,
    weights: tuple[int, int] = (0, 16),
) -> Program:
    """Return a layer of weights in groups; ``plain``: no zero points, no bias."""
    rng = np.random.default_rng(depth + outputs)
    constants = {
        "w": rng.integers(*weights, (outputs, depth)).astype(np.int16),
        "ws": (rng.random((outputs, groups)) + 0.01).astype(np.float32),
        "wz": rng.integers(*weights, (outputs, groups)).astype(np.int16),
        "b": rng.standard_normal(outputs).astype(np.float32),
    }
    attributes = {
        "weight_scale": {"constant": "ws"}, "order": order, "fused": fused,
        "weight_zero_point": None if plain else {"constant": "wz"},
        "bias": None if plain else {"constant": "b"},
    }  # fmt: skip
    if plain:
        del constants["wz"], constants["b"]
    codes = FixedFormat(8, signed)
    shape = (-1, 1) if rows else (1, 1)
    specs = {
        "q": ((-1, depth), codes), "s": (shape, FLOAT32), "z": (shape, codes),
        "y": ((-1, outputs), FLOAT32),
    }  # fmt: skip
    tensors = {name: TensorSpec(name, *spec) for name, spec in specs.items()}
    call = Call("a", "", "linear_groups", ("q", "w", "s", "z"), "y", attributes)
    return Program("p", ("q", "s", "z"), ("y",), tensors, constants, (call,))


def check(program: Program, batch: int) -> None:
    rng = np.random.default_rng(batch)
    specs = [program.tensors[name] for name in program.inputs]
    codes = specs[0].codes
    one = batch if specs[1].shape[0] == -1 else 1
    arrays = [
        rng.integers(codes.min, codes.max + 1, (batch, specs[0].shape[1])).astype(codes.dtype),
        (rng.random((one, 1)) + 0.01).astype(np.float32),
        rng.integers(codes.min, codes.max + 1, (one, 1)).astype(codes.dtype),
    ]
    (wanted,) = program.run(*arrays, trace=lambda *_: None)
    for threads in (1, 2):
        (made,) = program.run(*arrays, threads=threads)
        np.testing.assert_array_equal(made.view(np.int32), wanted.view(np.int32))


@pytest.mark.parametrize(("order", "fused"), [*itertools.product(("row", "group"), (False, True))])
def test_every_bit(order: str, fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    sizes = [(64, 21, 2), (192, 80, 3), (10, 5, 5), (70, 33, 7)]
    for number, (depth, outputs, groups) in enumerate(sizes):
        program = layer(
            depth, outputs, groups, order=order, fused=fused, plain=bool(number % 2),
            signed=number != 2, rows=number != 3,
        )  # fmt: skip
        assert (program.stream(1).compiled.commands[3].op is not None) == BYTES
        for batch in (1, 13, 130):
            check(program, batch)


@pytest.mark.parametrize(("order", "fused"), [*itertools.product(("row", "group"), (False, True))])
def test_whole_blocks_of_the_matrix_unit(order: str, fused: bool) -> None:
    """32 rows and 64 outputs at once, what is left of both, and a zero point among the products."""
    for depth, size, weights in (
        (96, 32, (-8, 8)),  # with the zero point's share as a product
        (60, 20, (0, 16)),
        (96, 32, (-128, -60)),  # whose share is beyond four weights
        (128, 64, (-8, 8)),  # a whole row of the unit
        (32, 32, (-8, 8)),  # one group
    ):
        for signed in (True, False):
            program = layer(
                depth, 80, depth // size, order=order, fused=fused, signed=signed, plain=size != 20,
                weights=weights,
            )  # fmt: skip
            check(program, 73)


def test_weights_beyond_a_byte_are_the_interpreters() -> None:
    program = layer(8, 4, 2, weights=(0, 256))
    reason = program.stream(1).compiled.commands[3].reason
    assert reason == "weights less their zero points exceed 8 bits" or not BYTES
    check(program, 3)


def test_the_call_follows_the_definition() -> None:
    program = layer(12, 5, 3, order="group")
    rng = np.random.default_rng(1)
    codes = rng.integers(-128, 128, (2, 12)).astype(np.int8)
    scale, zero = np.float32([[0.3], [0.7]]), np.array([[3], [-7]], np.int8)
    (made,) = program.run(codes, scale, zero)
    tensors, books = interpret(program, [codes, scale, zero])
    assert np.array_equal(made, tensors["y"])
    assert books["a"][1].extremes == (made.min(), made.max())


def test_groups_that_do_not_divide() -> None:
    with pytest.raises(ModelError, match=r"call 'a'.*not 3 groups of 64 inputs \(accepted: a num"):
        layer(64, 4, 3)
