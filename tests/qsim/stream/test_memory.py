"""The memory of Programs: byte by byte, in place, in banks, and refused where it is too small."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from qsim.errors import ModelError, UsageError
from qsim.memory import PLANNERS, Space
from qsim.program.attributes import format_to_json
from qsim.program.primitives import PRIMITIVES
from qsim.program.program import Call, Program, TensorSpec
from qsim.stream.homes import overwritable
from tests.qsim.memory.lifetimes import check_commands, check_steps
from tests.qsim.stream.programs import Maker, random_program

pytestmark = pytest.mark.usefixtures("one_thread")
Array = np.ndarray[Any, Any]
SEEDS = range(24)
SUMS = ("correlation", "linear")


def banked(program: Program, alignment: int, banks: int, part: int) -> Program:
    """Return a Program with banks that hold about that part of its largest tensor."""
    widest = max(buffer.size for buffer in program.plan().buffers.values())
    return program.placed_in(Space(banks * (-(-widest // (8 * part)) * 8), alignment, banks))


def in_spaces(program: Program) -> list[Program]:
    spaces = [Space(alignment=1), Space(alignment=16), Space(alignment=256)]
    parts = [banked(program, 4, 16, 1), banked(program, 8, 32, 3)]
    return [*(program.placed_in(space) for space in spaces), *parts]


def narrowed(program: Program) -> Program:
    """Return a Program whose sums saturate after every product: no command of the loop has them."""
    accumulator = {"bits": 14, "overflow": "saturate", "at": "mac", "order": "channel_first"}
    tensors, calls = dict(program.tensors), []
    for call in program.calls:
        attributes = dict(call.attributes)
        if call.primitive in (*SUMS, "bias_add"):
            keys = accumulator if call.primitive in SUMS else {"bits": 14, "overflow": "saturate"}
            attributes["accumulator"] = keys
            wide = hw.Accumulator(14, "saturate").format
            tensors[call.output] = replace(tensors[call.output], format=wide)
        calls.append(replace(call, attributes=attributes))
    return Program("p", program.inputs, program.outputs, tensors, program.constants, tuple(calls))


def inputs(program: Program, batch: int, seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    specs = [program.tensors[name] for name in program.inputs]
    return [
        rng.integers(s.format.min, s.format.max + 1, (batch, *s.shape[1:])).astype(s.format.dtype)
        for s in specs
    ]


@pytest.mark.parametrize("planner", PLANNERS)
def test_no_byte_is_lost_before_its_last_read(planner: str) -> None:
    replaced = 0
    for seed in SEEDS:
        for program in in_spaces(random_program(seed)):
            for batch in (1, 3):
                replaced += check_steps(program.allocate(batch, planner))
    assert replaced > 60


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_streams_in_every_memory_equal_the_interpreter(seed: int) -> None:
    for made in (random_program(seed), narrowed(random_program(seed))):
        arrays = inputs(made, 2, seed)
        wanted = made.run(*arrays, trace=lambda *_: None)
        for program in in_spaces(made):
            for batch in (1, 2):
                check_commands(program.stream(batch).compiled)
            for found, array in zip(program.run(*arrays), wanted, strict=True):
                np.testing.assert_array_equal(found, array)


def test_the_plan_does_not_depend_on_what_the_loop_takes() -> None:
    """Sums are in no memory, whether one command makes them or several."""
    several = single = 0
    for seed in SEEDS:
        made = random_program(seed)
        narrow = narrowed(made)
        assert narrow.plan().offsets == made.plan().offsets
        compiled = narrow.stream().compiled
        sums = {c.output for c in narrow.calls if c.primitive in SUMS} - set(narrow.outputs)
        assert not sums & compiled.homes.buffers.keys()
        assert sums <= compiled.sums.buffers.keys()
        several += bool(sums)
        fast = made.stream().compiled
        if len(fast.commands) + len(fast.copyless) == len(fast.allocation.steps):
            assert (fast.arena, fast.sums.buffers) == (fast.plan.size, {})
            single += 1
    assert (several > 10, single > 5) == (True, True)


def test_a_plan_that_loses_bytes_is_noticed() -> None:
    allocation = random_program(3).allocate()
    check_steps(allocation)
    low = MappingProxyType(dict.fromkeys(allocation.plan.offsets, 0))
    with pytest.raises(AssertionError):
        check_steps(replace(allocation, plan=replace(allocation.plan, offsets=low)))


def traced(program: Program, arrays: list[Array]) -> dict[str, Array]:
    """Return every tensor that the interpreter makes, and the inputs."""
    values = dict(zip(program.inputs, arrays, strict=True))

    def keep(call: Call, array: Array, _ledger: hw.Ledger) -> None:
        values[call.output] = array

    program.run(*arrays, trace=keep)
    return values


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_the_stream_runs_in_the_planned_bytes(seed: int) -> None:
    """The arena is as large as the plan; what a run leaves there are the codes of the tensors."""
    for program in (random_program(seed), narrowed(random_program(seed))):
        arrays = inputs(program, 1, seed)
        values = traced(program, arrays)
        program.run(*arrays)
        compiled = program.stream().compiled
        (memory,) = program.stream()._free
        assert memory.arena.nbytes == compiled.arena + 64  # a line that is only read
        memory.arena[compiled.arena :] = 0xA5
        program.run(*arrays)
        assert np.all(memory.arena[compiled.arena :] == 0xA5)
        if not compiled.sums.size:
            assert compiled.arena == program.plan().size
        allocation = program.allocate()
        last: dict[int, str] = {}
        for place in allocation.places():
            if not place.within:  # what lies within another tensor has its codes
                last |= dict.fromkeys(range(place.offset, place.offset + place.size), place.tensor)
        found = set()
        for place in allocation.places():
            if all(last[place.offset + i] == place.tensor for i in range(place.size)):
                held = allocation.layouts[place.tensor].view(memory.arena, place.offset)
                np.testing.assert_array_equal(held, values[place.tensor])
                found.add(place.tensor)
        assert found >= set(program.outputs)


# -- in place ------------------------------------------------------------------------------------


def chain(*outputs: str) -> Program:
    """x is clamped, looked up, added to the clamp, reshaped; x has a second reader."""
    maker = Maker(0)
    x = maker.input(4, 5)
    wide = format_to_json(hw.FixedFormat(12, maker.signed))
    y = maker.clamp(x)
    table = maker.constant(np.zeros(256, np.int16))
    z = maker.call("lookup", (x,), {"table": {"constant": table}, "output": wide})
    s = maker.add(y, x)
    r = maker.flat(s)
    found = outputs or (z, r)
    return Program("p", (x,), found, maker.tensors, maker.constants, tuple(maker.calls))


def test_a_result_takes_the_place_of_an_operand_that_dies() -> None:
    places = {place.tensor: place for place in chain().allocate().places()}
    # x is read again by the lookup and the sum; the lookup's codes are wider than x's.
    assert [places[name].instead for name in ("t0", "t1")] == ["", ""]
    assert (places["t2"].instead, places["t3"].instead) == ("t0", "t2")
    assert places["t2"].offset == places["t3"].offset == places["t0"].offset
    assert (places["t0"].first, places["t0"].last, places["t2"].first) == (1, 3, 3)


def test_an_output_keeps_its_place() -> None:
    places = {place.tensor: place for place in chain("t0", "t1", "t2", "t3").allocate().places()}
    assert places["t2"].instead == "x0"  # t0 goes out at the end
    assert places["t3"].instead == ""
    check_steps(chain("t0", "t1", "t2", "t3").allocate())


def test_only_calls_on_single_elements_work_in_place() -> None:
    found = set()
    for seed in SEEDS:
        program = random_program(seed)
        allocation = program.allocate()
        for place in allocation.places():
            if place.instead:
                (index,) = allocation.steps[place.first].calls
                found.add(program.calls[index].primitive)
                spec, other = program.tensors[place.tensor], program.tensors[place.instead]
                assert spec.format.dtype.itemsize == other.format.dtype.itemsize
    assert found == {"add", "clamp", "lookup", "reshape"}


def test_bindings_say_what_may_be_overwritten() -> None:
    whole = {name for name, binding in PRIMITIVES.items() if binding.overwrites}
    assert whole == {
        *("add", "bias_add", "clamp", "interpolate", "lookup", "maximum", "minimum", "mul"),
        *("prelu", "requantize", "reshape", "shift_right", "sub", "integer_function"),
        "cache_write",
    }
    for binding in PRIMITIVES.values():
        assert set(binding.overwrites) <= set(binding.operands) - set(binding.constant)
    calls = {call.output: call for call in chain().calls}
    assert overwritable(calls["t2"]) == ("t0", "x0")


# -- too small -----------------------------------------------------------------------------------


def clamps(shape: tuple[int, ...], count: int) -> Program:
    """Return clamps of one input, each an output: all live at once at the end."""
    spec = hw.FixedFormat(8)
    names = [f"y{i}" for i in range(count)]
    tensors = {name: TensorSpec(name, (-1, *shape), spec) for name in ("x", *names)}
    calls = [
        Call(f"c{i}", f"part.{i}", "clamp", ("x",), name, {"lo": 0, "hi": 9})
        for i, name in enumerate(names)
    ]
    return Program("p", ("x",), tuple(names), tensors, {}, tuple(calls))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Space(170, 1), "tensors of 180 bytes live at once, 10 more than the memory has (170)"),
        (Space(170, 1, 9), "tensors of 180 bytes live at once, 10 more than the memory has (170)"),
        (
            Space(184, 8),
            "no room is found for 'y1' of 60 bytes: the plan takes 188, 4 more than the memory has",
        ),
    ],
)
def test_what_does_not_fit_is_refused(space: Space, message: str) -> None:
    program = clamps((60,), 3).placed_in(space)
    with pytest.raises(ModelError) as refused:
        program.plan()
    assert f"program 'p': layer 'part.1': {message}" in str(refused.value)
    assert "accepted: a smaller network, or a copy of the target with" in str(refused.value)
    assert "[memory] bytes = 0 lifts the limit" in str(refused.value)
    with pytest.raises(ModelError):
        program.run(np.zeros((3, 60), np.int8))


@pytest.mark.parametrize("banks", [1, 2, 3, 5, 22, 90])
def test_nothing_is_refused_because_of_banks(banks: int) -> None:
    program = clamps((60,), 3).placed_in(Space(188, 4, banks))
    assert program.plan().size <= 188


def test_the_memory_is_one_samples() -> None:
    program = clamps((60,), 3).placed_in(Space(180, 1))
    assert program.plan().size == 180
    assert program.plan(2).size == 360
    x = np.arange(120, dtype=np.int8).reshape(2, 60)
    for made in program.run(x):
        np.testing.assert_array_equal(made, np.clip(x, 0, 9))


def test_an_unknown_planner() -> None:
    with pytest.raises(UsageError, match="no planner 'none'"):
        random_program(0).allocate(planner="none")


def test_another_memory_shares_the_constants() -> None:
    program = random_program(2)
    other = program.placed_in(Space(alignment=16))
    assert other.constants is program.constants
    assert other.placed_in(Space(alignment=16)) is other
    assert program.memory == Space()
    assert program.stream() is not other.stream()
