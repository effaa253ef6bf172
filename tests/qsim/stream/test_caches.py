"""cache_write in the compiled loop: in place and copied, of any element, on any thread."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models as hw
from qsim.program import Call, Program, TensorSpec

FORMATS = {
    "int8": hw.FixedFormat(8), "int16": hw.FixedFormat(16), "int32": hw.FixedFormat(32),
    "float32": hw.FLOAT32,
}  # fmt: skip


def writing(
    form: hw.Format, axis: int, count: int, given: int, *, ring: bool, kept: bool
) -> Program:
    """One write along an axis; kept: the cache is read afterwards, so nothing is made in it."""
    size = {1: (-1, count, 5, 2), 2: (-1, 5, count, 2), 3: (-1, 5, 2, count)}[axis]
    whole = tuple(5 if at == axis else n for at, n in enumerate(size))
    specs = [
        TensorSpec("cache", whole, form), TensorSpec("rows", size, form),
        TensorSpec("pos", (given,), hw.FixedFormat(32)), TensorSpec("y", whole, form),
    ]  # fmt: skip
    calls = [Call("w", "", "cache_write", ("cache", "rows", "pos"), "y",
                  {"axis": axis, "ring": ring})]  # fmt: skip
    if kept:
        specs.append(TensorSpec("z", (-1, *whole[:0:-1]), form))
        calls.append(Call("z", "", "permute", ("cache",), "z", {"dims": [0, 3, 2, 1]}))
    outputs = ("y", "z") if kept else ("y",)
    tensors = {spec.name: spec for spec in specs}
    return Program("p", ("cache", "rows", "pos"), outputs, tensors, {}, tuple(calls))


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize(("form", "axis", "count", "given", "kept"), [
    ("int8", 1, 1, 1, False), ("int8", 2, 3, 3, True), ("int16", 3, 2, 1, False),
    ("int32", 2, 4, 4, False), ("float32", 2, 2, 2, True),
])  # fmt: skip
def test_the_loop_writes_what_the_interpreter_writes(
    form: str, axis: int, count: int, given: int, kept: bool, ring: bool
) -> None:
    program = writing(FORMATS[form], axis, count, given, ring=ring, kept=kept)
    compiled = program.stream(3).compiled
    assert all(command.op is not None for command in compiled.commands)
    assert ("y" in compiled.homes.instead) is not kept
    rng = np.random.default_rng(axis)
    for turn in range(6):
        cache, rows = (
            rng.integers(-128, 128, (3, *program.tensors[name].shape[1:]))
            .astype(FORMATS[form].dtype) for name in ("cache", "rows")
        )  # fmt: skip
        most = 6 - (count if given == 1 else 1)
        at = rng.integers(-7, 20, given) if ring else rng.integers(0, most, given)
        made = program.run(cache, rows, at.astype(np.int32), threads=1 + turn % 2)
        wanted = program.run(cache, rows, at.astype(np.int32), trace=lambda *_: None)
        for one, other in zip(made, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_refusal_names_the_call_and_writes_nothing() -> None:
    program = writing(FORMATS["int8"], 2, 2, 1, ring=False, kept=False)
    cache, rows = np.zeros((1, 5, 5, 2), np.int8), np.ones((1, 5, 2, 2), np.int8)
    for _ in range(2):
        with pytest.raises(Exception, match=r"call 'w' \(cache_write\).*not 5 of new row 1"):
            program.run(cache, rows, np.array([4]))
        (y,) = program.run(cache, rows, np.array([3]))
        assert y[0, 0, :, 0].tolist() == [0, 0, 0, 1, 1]
