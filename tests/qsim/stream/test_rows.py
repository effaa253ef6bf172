"""Softmax, argmax, means, rescales and weighted resizes in the stream equal the interpreter's."""

from __future__ import annotations

import random

import numpy as np
import pytest

import hw_models as hw
from hw_models.softmax import FixedSoftmax, TableSoftmax
from qsim.errors import ModelError, QsimError
from qsim.program.attributes import format_to_json
from qsim.program.program import Program, TensorSpec
from tests.qsim.stream.programs import Maker
from tests.qsim.stream.rows_programs import KINDS, rows_program
from tests.qsim.stream.test_acceptance import mutate, ran
from tests.qsim.stream.test_stream import check, inputs

QUICK = 6


def check_drawn(kind: str, seed: int) -> None:
    program = rows_program(kind, seed)
    for batch in (1, 3, 8):
        wanted = ran(program, inputs(program, batch, seed), lambda *_: None)
        if isinstance(wanted, str):
            assert ran(program, inputs(program, batch, seed), None) == wanted
        else:
            check(program, batch, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_calls(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    for seed in range(QUICK):
        check_drawn(kind, seed)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_many_drawn_calls(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    for seed in range(QUICK, 400):
        check_drawn(kind, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_commands(kind: str) -> None:
    streams = [rows_program(kind, seed).stream().compiled.commands for seed in range(12)]
    assert sum(all(c.op is not None for c in commands) for commands in streams) >= 10


def softmax(depth: int, bits: int) -> Program:
    """Return a softmax of rows of some length."""
    maker = Maker(0)
    form = hw.FixedFormat(bits)
    maker.tensors["x0"] = TensorSpec("x0", (-1, depth), form)
    scheme = FixedSoftmax.from_scale(0.1) if bits == 8 else TableSoftmax.from_scale(1e-4)
    attributes = {
        "scheme": maker.encoded(scheme), "axis": 1, "output": format_to_json(form),
    }  # fmt: skip
    y = maker.call("softmax", ("x0",), attributes)
    return Program("p", ("x0",), (y,), maker.tensors, maker.constants, tuple(maker.calls))


@pytest.mark.parametrize(("bits", "longest"), [(8, 4095), (16, 65548)])
def test_rows_whose_sums_may_leave_the_register_are_the_interpreters(
    bits: int, longest: int
) -> None:
    kept, refused = softmax(longest, bits), softmax(longest + 1, bits)
    assert all(command.op is not None for command in kept.stream().compiled.commands)
    reasons = {command.reason for command in refused.stream().compiled.commands} - {""}
    assert reasons == {"the sum of a row's exponentials may exceed 32 bits"}
    for program in (kept, refused):
        x = np.full((1, *program.tensors["x0"].shape[1:]), 5, f"int{bits}")
        wanted = ran(program, [x], lambda *_: None)
        made = ran(program, [x], None)
        assert isinstance(wanted, str) == (program is refused)
        np.testing.assert_array_equal(made, wanted)
    # Codes that lie apart have a sum that fits.
    x[:, 1:] = -(1 << (bits - 1))
    np.testing.assert_array_equal(refused.run(x)[0], refused.run(x, trace=lambda *_: None)[0])


def test_values_that_a_rounding_may_refuse_are_the_interpreters() -> None:
    maker = Maker(0)
    maker.tensors["x0"] = TensorSpec("x0", (-1, 3), hw.FixedFormat(40))
    attributes = {
        "scheme": maker.encoded(hw.FixedPoint.from_scale(0.01)), "zero_point": 1, "axis": 1,
        "input_zero_point": 0, "clamp": None, "output": format_to_json(hw.FixedFormat(8)),
    }  # fmt: skip
    y = maker.call("requantize", ("x0",), attributes)
    program = Program("p", ("x0",), (y,), maker.tensors, maker.constants, tuple(maker.calls))
    reasons = {command.reason for command in program.stream().compiled.commands} - {""}
    assert reasons == {"a value may exceed the 32 bits of double rounding"}
    with pytest.raises(ModelError, match="is defined on 32-bit accumulators"):
        program.run(np.array([[1, 2, 1 << 35]]))
    program.run(np.array([[1, 2, 1 << 30]]))


def outcome(kind: str, seed: int) -> str:
    rng = random.Random(seed)  # noqa: S311  # drawn to be tried, not to be kept secret
    try:
        program = mutate(rows_program(kind, seed % 50), rng)
    except QsimError:
        return "refused"
    arrays = inputs(program, 2, seed)
    streamed, traced = ran(program, arrays, None), ran(program, arrays, lambda *_: None)
    if isinstance(streamed, str) or isinstance(traced, str):
        assert streamed == traced, f"{kind} {seed}"
        return "failed"
    for one, other in zip(streamed, traced, strict=True):
        assert one.dtype == other.dtype, f"{kind} {seed}"
        np.testing.assert_array_equal(one, other, err_msg=f"{kind} {seed}")
    return "ran"


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_mutated_calls_are_accepted_by_both_or_by_neither(kind: str) -> None:
    assert "ran" in {outcome(kind, seed) for seed in range(600)}
