"""The command stream equals the interpreter, bit for bit, on any number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from qsim.errors import InputError
from qsim.program.program import Call, Program, TensorSpec
from tests.qsim.stream.programs import random_program

Array = np.ndarray[Any, Any]


def inputs(program: Program, batch: int, seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    arrays = []
    for name in program.inputs:
        spec = program.tensors[name]
        shape = tuple(batch if size == -1 else size for size in spec.shape)
        codes = rng.integers(spec.format.min, spec.format.max + 1, shape)
        arrays.append(codes.astype(spec.format.dtype))
    return arrays


def check(program: Program, batch: int, seed: int = 0) -> None:
    arrays = inputs(program, batch, seed)
    wanted = program.run(*arrays, trace=lambda *_: None)
    ways = [program.run(*arrays, threads=threads) for threads in (1, 2, 3)]
    stream = program.stream(batch)
    if stream.short:  # ``run`` went the other way
        ways.append(stream.outputs(batch))
        stream.run(stream.taken(arrays), ways[-1], 1)
    for made in ways:
        for name, found, array in zip(program.outputs, made, wanted, strict=True):
            assert found.dtype == array.dtype, name
            np.testing.assert_array_equal(found, array, err_msg=name)


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed: int) -> None:
    program = random_program(seed)
    for batch in (1, 2, 5):
        check(program, batch, seed)


def test_most_random_calls_are_in_the_loop() -> None:
    """The programs above would test nothing if the interpreter made their calls."""
    commands = [c for seed in range(60) for c in random_program(seed).stream().compiled.commands]
    ours = sum(command.op is not None for command in commands)
    assert ours > 0.7 * len(commands)
    assert len({command.op for command in commands}) >= 8


def tensor(name: str, *shape: int, codes: hw.FixedFormat | None = None) -> TensorSpec:
    return TensorSpec(name, (-1, *shape), codes or hw.FixedFormat(8))


def windows(accumulator: dict[str, Any], padding: int = 0, zero: int = 0) -> dict[str, Any]:
    """Return the attributes of a correlation."""
    return {
        "stride": [1, 1], "padding": [[padding, padding]] * 2, "dilation": [1, 1], "groups": 1,
        "x_zero_point": 3, "weight_zero_point": zero, "pad_value": None,
        "accumulator": accumulator,
    }  # fmt: skip


@pytest.mark.parametrize(("bits", "zero"), [(8, 0), (16, 0), (8, 60)])
@pytest.mark.parametrize("outputs", [16, 32, 64, 112])
def test_any_number_of_pixels(outputs: int, bits: int, zero: int) -> None:
    """Tiles take a round of pixels, half of one or a few; weights of bytes, pairs and words."""
    register = {"bits": 32, "overflow": "wrap", "at": "sum", "order": "channel_first"}
    weight = np.random.default_rng(1).integers(-127, 128, (outputs, 5, 1, 1)).astype(np.int8)
    call = Call("c", "", "correlation", ("x", "w"), "acc", windows(register, zero=zero))
    form, sums = hw.FixedFormat(bits), hw.Accumulator(**register).format
    for pixels in (1, 3, 4, 5, 6, 7, 11, 12, 13, 16, 17, 19):
        tensors = {
            "x": tensor("x", 5, 1, pixels, codes=form),
            "acc": tensor("acc", outputs, 1, pixels, codes=sums),
        }
        program = Program("p", ("x",), ("acc",), tensors, {"w": weight}, (call,))
        assert program.stream().compiled.commands[1].op is not None
        (x,) = inputs(program, 1, pixels)
        (wanted,) = program.run(x, trace=lambda *_: None)
        np.testing.assert_array_equal(program.run(x)[0], wanted)


def conv(accumulator: dict[str, Any], outputs: tuple[str, ...] = ("acc",)) -> Program:
    attributes = windows(accumulator, padding=1)
    weight = np.random.default_rng(1).integers(-127, 128, (5, 3, 3, 3)).astype(np.int8)
    call = Call("c", "", "correlation", ("x", "w"), "acc", attributes)
    tensors = {
        "x": tensor("x", 3, 6, 7),
        "acc": tensor("acc", 5, 6, 7, codes=hw.Accumulator(**accumulator).format),
    }
    return Program("p", ("x",), outputs, tensors, {"w": weight}, (call,))


@pytest.mark.parametrize(("bits", "overflow"), [(32, "wrap"), (32, "error"), (24, "saturate")])
def test_sums_that_leave_the_stream(bits: int, overflow: str) -> None:
    program = conv({"bits": bits, "overflow": overflow, "at": "sum", "order": "channel_first"})
    assert all(command.op is not None for command in program.stream().compiled.commands)
    check(program, 2)


@pytest.mark.parametrize("overflow", ["wrap", "saturate", "saturate_symmetric"])
@pytest.mark.parametrize("at", ["mac", "sum"])
def test_an_accumulator_that_may_overflow_is_the_interpreters(overflow: str, at: str) -> None:
    program = conv({"bits": 13, "overflow": overflow, "at": at, "order": "channel_last"})
    reasons = [command.reason for command in program.stream().compiled.commands]
    assert f"the 13-bit accumulator may overflow ({overflow})" in reasons
    check(program, 2)


def test_an_overflow_error_is_the_interpreters() -> None:
    program = conv({"bits": 12, "overflow": "error", "at": "mac", "order": "channel_first"})
    arrays = inputs(program, 1, 0)
    with pytest.raises(InputError) as stream:
        program.run(*arrays)
    with pytest.raises(InputError) as interpreter:
        program.run(*arrays, trace=lambda *_: None)
    assert str(stream.value) == str(interpreter.value)


def test_arguments_of_any_layout_and_owned_results() -> None:
    program = random_program(3)
    arrays = inputs(program, 4, 3)
    wanted = program.run(*arrays)
    kept = [array.copy() for array in wanted]
    for other in (
        [array.astype(np.int64) for array in arrays],
        [np.asfortranarray(array) for array in arrays],
        [np.repeat(array, 2, axis=0)[::2] for array in arrays],
    ):
        for found, array in zip(program.run(*other), kept, strict=True):
            np.testing.assert_array_equal(found, array)
    program.run(*inputs(program, 4, 99))
    for array, copy in zip(wanted, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_most_random_programs_are_short_and_some_are_not() -> None:
    short = [random_program(seed).stream(batch).short for seed in range(20) for batch in (1, 5)]
    assert 5 < sum(short) < len(short)


def test_runs_at_once_share_no_memory() -> None:
    program = random_program(3)
    cases = [inputs(program, 1, seed) for seed in range(6)]
    wanted = [program.run(*arrays, trace=lambda *_: None) for arrays in cases]
    assert program.stream().short

    def work(number: int) -> None:
        for _ in range(100):
            for found, array in zip(program.run(*cases[number]), wanted[number], strict=True):
                np.testing.assert_array_equal(found, array)

    with ThreadPoolExecutor(len(cases)) as pool:
        list(pool.map(work, range(len(cases))))


def test_plan_covers_every_tensor_of_the_loop() -> None:
    program = random_program(7)
    compiled = program.stream(2).compiled
    for name in compiled.homes.buffers:
        assert compiled.offset(name) + compiled.layouts[name].bytes <= compiled.plan.size
        assert compiled.offset(name) % 64 == 0
    assert program.plan(2).size >= program.plan(2).bound > program.plan(1).bound


def test_a_batch_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    programs = [(seed, random_program(seed)) for seed in range(60)]
    splitting = [(seed, program) for seed, program in programs if program.stream().splits]
    assert len(splitting) >= 6
    for seed, program in splitting:
        monkeypatch.setattr("qsim.stream.streams._CACHE", 2 * program.plan(1).size)
        for batch in (2, 3, 9):
            check(program, batch, seed)


@pytest.mark.parametrize("seed", range(8))
def test_threads_share_every_command(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    check(random_program(seed), 3, seed)
