"""Moves in the command stream equal the interpreter's, in every memory, copied or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hw_models as hw
from qsim.memory import Space
from qsim.program.attributes import format_to_json
from qsim.program.program import Program, TensorSpec
from tests.qsim.memory.lifetimes import check_commands, check_steps
from tests.qsim.stream.move_programs import Mover, moving_program
from tests.qsim.stream.test_stream import check

pytestmark = pytest.mark.usefixtures("one_thread")
SEEDS = range(32)
SPACES = (Space(), Space(alignment=1), Space(8192, 4, 4))


def examine(program: Program, seed: int) -> tuple[int, int]:
    """Compare with the interpreter in several memories; return tensors without copies, calls."""
    free = calls = 0
    for space in SPACES:
        placed = program.placed_in(space)
        check_steps(placed.allocate())
        assert placed.plan().size <= program.plan().size or space.alignment == 4
        for batch in (1, 2, 5):
            compiled = placed.stream(batch).compiled
            assert {command.reason for command in compiled.commands} == {""}
            check_commands(compiled)
            free, calls = free + len(compiled.copyless), calls + len(program.calls)
            if space.alignment != 4:
                check(placed, batch, seed)
    return free, calls


def test_moves_equal_the_interpreters() -> None:
    counts = np.array([examine(moving_program(seed), seed) for seed in SEEDS]).sum(axis=0)
    assert counts[0] > counts[1] / 12


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 400))
def test_more_moves(seed: int) -> None:
    examine(moving_program(seed), seed)


def program_of(maker: Mover, *outputs: str) -> Program:
    inputs = tuple(name for name in maker.tensors if name.startswith("x"))
    calls = tuple(maker.calls)
    return Program("p", inputs, outputs, maker.tensors, maker.constants, calls)


def whole(maker: Mover, x: str, axis: int, start: int, size: int) -> str:
    """Take a part along one dimension."""
    shape = maker.shape(x)
    starts, sizes = [0] * len(shape), [*shape]
    starts[axis], sizes[axis] = start, size
    attributes = {"starts": starts, "steps": [1] * len(shape), "sizes": sizes}
    return maker.call("strided_slice", (x,), attributes)


def joined(maker: Mover, axis: int, *operands: str) -> str:
    count = len(operands)
    attributes: dict[str, Any] = {
        "axis": axis, "schemes": [None] * count, "zero_points": [0] * count, "zero_point": 0,
        "output": format_to_json(maker.tensors[operands[0]].format),
    }  # fmt: skip
    return maker.call("concat", operands, attributes)


def test_slices_and_a_concat_of_them_cost_no_copy() -> None:
    maker = Mover(0)
    x = maker.input(8, 16)
    halves = [maker.clamp(whole(maker, x, 1, start, 4)) for start in (0, 4)]
    program = program_of(maker, joined(maker, 1, *halves))
    places = {place.tensor: place for place in program.allocate().places()}
    assert [(places[n].offset - places["x0"].offset, places[n].within) for n in ("t0", "t2")] == [
        (0, "x0"), (64, "x0"),
    ]  # fmt: skip
    assert [places[n].offset - places["t4"].offset for n in ("t1", "t3")] == [0, 64]
    # x and the result: where they are copied, two more tensors of half the size live at once.
    assert program.plan().size == program.plan().bound == 256
    compiled = program.stream().compiled
    assert compiled.copyless == ("t0", "t2", "t4")
    assert len(compiled.commands) == 4  # load, two clamps, store
    # Several samples do not lie in one piece; nor do parts at addresses that are not aligned.
    assert program.stream(2).compiled.copyless == ()
    assert program.placed_in(Space(alignment=256)).stream().compiled.copyless == ("t0",)
    examine(program, 0)


def test_a_part_that_would_make_the_memory_larger_is_copied() -> None:
    maker = Mover(0)
    x = maker.input(64, 16)
    small = whole(maker, x, 1, 0, 4)
    y = maker.clamp(x)  # may take x's place only if nothing reads its first part later
    for _ in range(2):
        y = maker.call("permute", (y,), {"dims": [0, 2, 1]})
    program = program_of(maker, maker.clamp(y), small)
    check_steps(program.allocate())
    assert program.plan().size == 2 * 1024 + 64
    check(program, 1)


@pytest.mark.parametrize("bits", [16, 24, 40])
def test_moves_of_wide_codes(bits: int) -> None:
    maker = Mover(1)
    form = hw.FixedFormat(bits)
    maker.tensors["x0"] = TensorSpec("x0", (-1, 3, 4, 5), form)
    axes = {"starts": [0, 2, 3, 0], "steps": [1, -1, -2, 0], "sizes": [-1, 3, 2, 7]}
    y = maker.call("strided_slice", ("x0",), axes)
    table = maker.constant(np.array([6, 0, 0, 5], np.int64))
    y = maker.call("gather", (y, table), {"axis": 3})
    for mode in ("constant", "reflect"):
        pads = {"pads": [[0, 0], [1, 0], [0, 1], [2, 2]], "value": -3, "mode": mode}
        y = maker.call("pad", (y,), pads)
    program = program_of(maker, maker.call("permute", (y,), {"dims": [0, 3, 1, 2]}))
    examine(program, bits)


@pytest.mark.parametrize("bits", [(8, 16), (16, 8), (16, 16), (16, 12)])
def test_tables_of_wide_codes(bits: tuple[int, int]) -> None:
    maker = Mover(2)
    x, y = (hw.FixedFormat(n) for n in bits)
    maker.tensors["x0"] = TensorSpec("x0", (-1, 70), x)
    table = maker.rng.integers(y.min, y.max + 1, 1 << bits[0]).astype(y.dtype)
    attributes = {"table": {"constant": maker.constant(table)}, "output": format_to_json(y)}
    program = program_of(maker, maker.clamp(maker.call("lookup", ("x0",), attributes)))
    examine(program, 0)
    every = np.resize(np.arange(x.min, x.max + 1), (937, 70)).astype(x.dtype)
    np.testing.assert_array_equal(
        program.run(every)[0], program.run(every, trace=lambda *_: None)[0]
    )


def test_a_constant_is_joined_where_the_batch_is_fixed() -> None:
    maker = Mover(3)
    kind = np.int8 if maker.signed else np.uint8
    maker.tensors["x0"] = TensorSpec("x0", (1, 3, 4), hw.FixedFormat(8, maker.signed))
    constant = maker.constant(np.arange(8).reshape(1, 2, 4).astype(kind))
    examine(program_of(maker, joined(maker, 1, "x0", constant, "x0")), 0)
