"""embedding in the compiled loop: rows of any element, any positions, and refused ones."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models as hw
from qsim.errors import QsimError
from qsim.program import Call, Program, TensorSpec

TABLES = {
    "int8": hw.FixedFormat(8), "int16": hw.FixedFormat(16), "float32": hw.FLOAT32,
}  # fmt: skip


def reading(form: hw.Format, row: tuple[int, ...], where: hw.FixedFormat) -> Program:
    """Rows of a table of seven, at positions of three a sample."""
    table = np.random.default_rng(1).integers(-128, 128, (7, *row)).astype(form.dtype)
    specs = [TensorSpec("at", (-1, 3), where), TensorSpec("y", (-1, 3, *row), form)]
    calls = (Call("word", "words", "embedding", ("table", "at"), "y", {}),)
    return Program("p", ("at",), ("y",), {s.name: s for s in specs}, {"table": table}, calls)


@pytest.mark.parametrize("bits", [8, 32, 64])
@pytest.mark.parametrize("form", TABLES)
def test_the_loop_reads_what_the_interpreter_reads(
    form: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    where = hw.FixedFormat(bits)
    program = reading(TABLES[form], {8: (5,), 32: (2, 3), 64: ()}[bits], where)
    assert all(command.op is not None for command in program.stream(2).compiled.commands)
    at = np.random.default_rng(bits).integers(0, 7, (5, 3)).astype(where.dtype)
    for batch in (1, 2, 5):
        for threads in (1, 2):
            (made,) = program.run(at[:batch], threads=threads)
            (wanted,) = program.run(at[:batch], trace=lambda *_: None)
            assert made.dtype == wanted.dtype
            np.testing.assert_array_equal(made, wanted)


@pytest.mark.parametrize("wrong", [-1, 7, 1 << 30, -(1 << 31)])
def test_a_refusal_names_layer_call_offender_and_rows(wrong: int) -> None:
    program = reading(TABLES["int8"], (2,), hw.FixedFormat(32))
    at = np.array([[0, 1, 2], [3, wrong, 6]], np.int32)
    said = set()
    for how in ({}, {"threads": 2}, {"trace": lambda *_: None}):
        with pytest.raises(QsimError) as caught:
            program.run(at, **how)  # type: ignore[arg-type]
        said.add(str(caught.value))
        (y,) = program.run(np.abs(at) % 7)
        assert y.shape == (2, 3, 2)
    (text,) = said
    assert all(word in text for word in ("words", "'word'", str(wrong), "0..6"))
