"""Mutated Programs: stream and trace refuse the same ones, in the same words, or compute the same.

What a Program accepts is decided when it is made; only values (codes, overflows) are left for
later.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from qsim.errors import QsimError
from qsim.program.program import Call, Program
from tests.qsim.network.test_fuzz import VALUES, places, watchdog
from tests.qsim.stream.programs import random_program
from tests.qsim.stream.test_stream import inputs

Array = np.ndarray[Any, Any]
TYPES = [
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    ">i2",
    ">i4",
    ">i8",
    "float32",
    "bool",
]
EXTREMES = (127, -128, 255, 1 << 15, -(1 << 31), (1 << 32) - 1, 1 << 32, 1 << 62, -(1 << 63))


def other_array(array: Array, rng: random.Random) -> Array:
    """Return an array of another type, length or range."""
    match rng.randrange(6):
        case 0:
            return array.astype(rng.choice(TYPES))
        case 1:
            return array.astype(np.uint64)
        case 2:
            return array[: rng.randrange(len(array) + 1)]
        case 3:
            return np.concatenate([array, array])
        case 4:
            wide = array.astype(np.int64)
            wide.reshape(-1)[rng.randrange(array.size)] = rng.choice(EXTREMES)
            return wide
        case _:
            return array.reshape(-1)


def mutate(program: Program, rng: random.Random) -> Program:
    """Return a Program with a constant, an attribute or the form of a tensor changed."""
    constants, calls = dict(program.constants), list(program.calls)
    tensors = dict(program.tensors)
    index = rng.randrange(len(calls))
    attributes = copy.deepcopy(dict(calls[index].attributes))
    kind = rng.randrange(5)
    if kind <= 1 and constants:
        name = rng.choice(sorted(constants))
        constants[name] = other_array(constants[name], rng)
    elif kind <= 3:
        tree, key = rng.choice(places(attributes) or [(attributes, "axis")])
        old = tree[key] if isinstance(tree, list) else tree.get(key)
        numbers = (*EXTREMES, rng.randint(-300, 300), 65536)
        tree[key] = rng.choice(numbers) if type(old) is int else copy.deepcopy(rng.choice(VALUES))
    else:
        name = rng.choice(sorted(tensors))
        bits = rng.choice((1, 4, 8, 9, 16, 32))
        form = dataclasses.replace(tensors[name].format, bits=bits, signed=rng.random() < 0.5)
        tensors[name] = dataclasses.replace(tensors[name], format=form)
    old_call = calls[index]
    calls[index] = Call(
        old_call.name, "", old_call.primitive, old_call.inputs, old_call.output, attributes
    )
    return Program("p", program.inputs, program.outputs, tensors, constants, tuple(calls))


def ran(program: Program, arrays: list[Array], trace: Any) -> tuple[Array, ...] | str:
    try:
        return program.run(*arrays, trace=trace)
    except QsimError as error:
        return f"{type(error).__name__}: {error}"


def outcome(seed: int) -> str:
    rng = random.Random(seed)  # noqa: S311  # drawn to be tried, not to be kept secret
    try:
        program = mutate(random_program(seed % 40), rng)
    except QsimError as error:
        return "several lines" if "\n" in str(error) else "refused"
    arrays = inputs(program, 2, seed)
    streamed = ran(program, arrays, None)
    traced = ran(program, arrays, lambda *_: None)
    if isinstance(streamed, str) or isinstance(traced, str):
        assert streamed == traced, f"seed {seed}"
        return "failed"
    for one, other in zip(streamed, traced, strict=True):
        assert one.dtype == other.dtype, f"seed {seed}"
        assert np.array_equal(one, other), f"seed {seed}"
    return "ran"


def test_mutated_programs_are_accepted_by_both_or_by_neither() -> None:
    with watchdog(600):
        found = Counter(map(outcome, range(20)))
    assert found["refused"] > 5
    assert not found["several lines"]
    assert found["ran"] > 2


@pytest.mark.soak
@pytest.mark.parametrize("first", range(20, 4020, 1000))
def test_many_mutated_programs_are_accepted_by_both_or_by_neither(first: int) -> None:
    with watchdog(3600):
        assert Counter(map(outcome, range(first, first + 1000)))["ran"] > 100
