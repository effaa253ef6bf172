"""strided_slice, gather and embedding in a Program: results, stream, hostile attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hw_models as hw
from qsim.errors import InputError, ModelError
from qsim.program import Call, Program, TensorSpec

INT8 = hw.FixedFormat(8)
SLICE = {"starts": [0, 2, 1], "steps": [1, -1, 2], "sizes": [-1, 3, 2]}


MANY = {"steps": [1, 0, 0], "sizes": [-1, 1 << 15, 1 << 15]}


def codes() -> np.ndarray:
    return np.arange(24, dtype=np.int8).reshape(2, 3, 4)


def program(
    primitive: str,
    attributes: dict[str, Any],
    shape: tuple[int, ...],
    indices: np.ndarray | None = None,
    source: tuple[int, ...] = (-1, 3, 4),
    **held: Any,
) -> Program:
    constants = {"i": np.array([0]) if indices is None else indices, **held}
    specs = {"x": TensorSpec("x", source, INT8), "y": TensorSpec("y", shape, INT8)}
    inputs = ("x",) if primitive == "strided_slice" else ("x", "i")
    return Program(
        "p", ("x",), ("y",), specs, constants, (Call("c", "", primitive, inputs, "y", attributes),)
    )


def test_codes_are_read_where_the_attributes_say() -> None:
    x = codes()
    sliced = program("strided_slice", SLICE, (-1, 3, 2))
    gathered = program("gather", {"axis": -1}, (-1, 3, 5), np.array([3, 0, 0, 2, 1]))
    for made, want in ((sliced, x[:, ::-1, 1::2]), (gathered, x[..., [3, 0, 0, 2, 1]])):
        traced: list[hw.Ledger] = []
        (interpreted,) = made.run(x, trace=lambda _c, _r, ledger, to=traced: to.append(ledger))
        for y in (*made.run(x), interpreted):
            np.testing.assert_array_equal(y, want)
        assert (traced[0].elements, traced[0].minimum) == (want.size, want.min())
        assert made.run(x[:0])[0].shape == (0, *want.shape[1:])
    fixed = {"starts": [1, 0, 0], "steps": [-1, 0, 1], "sizes": [2, 5, 4]}
    (y,) = program("strided_slice", fixed, (2, 5, 4), source=(2, 3, 4)).run(x)
    np.testing.assert_array_equal(y, np.repeat(x[::-1, :1], 5, 1))


@pytest.mark.parametrize(
    ("primitive", "attributes", "indices", "match"),
    [
        ("strided_slice", SLICE | {"starts": [1, 2, 1]}, None, "leave the batch alone"),
        ("strided_slice", SLICE | {"steps": [0, -1, 2]}, None, "leave the batch alone"),
        ("strided_slice", SLICE | {"sizes": [2, 3, 2]}, None, "leave the batch alone"),
        ("strided_slice", SLICE | {"sizes": [-1, 4, 2]}, None, "stay in dimension 1 of 3"),
        ("strided_slice", SLICE | {"starts": [0, 3, 1]}, None, "stay in dimension 1 of 3"),
        ("strided_slice", SLICE | {"starts": [0, 2, -1]}, None, "stay in dimension 2 of 4"),
        ("strided_slice", SLICE | {"sizes": [-1, 0, 2]}, None, "size 1 or more"),
        ("strided_slice", SLICE | {"sizes": [-1, 3]}, None, "one entry per dimension"),
        ("strided_slice", SLICE | {"steps": [1, -1, 1.5]}, None, "integer in range"),
        ("strided_slice", SLICE | {"steps": [1, -1, 1 << 40]}, None, "in range"),
        ("strided_slice", SLICE | MANY, None, "too many"),
        ("gather", {"axis": 0}, np.array([0]), "not the batch"),
        ("gather", {"axis": 3}, np.array([0]), "not the batch"),
        ("gather", {"axis": 2}, np.array([4]), r"lie in the dimension"),
        ("gather", {"axis": 2}, np.array([-1]), r"lie in the dimension"),
        ("gather", {"axis": 2}, np.array([[0]]), "in one dimension"),
        ("gather", {"axis": 2}, np.array([], np.int64), "one code or more"),
        ("gather", {"axis": 2}, np.array([0.5]), "must hold integers"),
        ("gather", {"axis": 2.0}, np.array([0]), "integer"),
    ],
)  # fmt: skip
def test_refusals(
    primitive: str, attributes: dict[str, Any], indices: np.ndarray | None, match: str
) -> None:
    with pytest.raises(ModelError, match=match):
        program(primitive, attributes, (-1, 3, 2), indices).run(codes())


def test_indices_must_be_constant() -> None:
    specs = {name: TensorSpec(name, (4,), INT8) for name in ("x", "i", "y")}
    call = Call("c", "", "gather", ("x", "i"), "y", {"axis": 0})
    with pytest.raises(ModelError, match="constant"):
        Program("p", ("x", "i"), ("y",), specs, {}, (call,))


def rows(form: hw.Format, held: np.ndarray, bits: int = 64) -> Program:
    """Return a Program that reads rows of a table at indices of run time."""
    specs = {
        "i": TensorSpec("i", (-1, 3), hw.FixedFormat(bits)),
        "y": TensorSpec("y", (-1, 3, *held.shape[1:]), form),
    }
    specs |= {"t": TensorSpec("t", held.shape, form)} if len(held) else {}
    call = Call("c", "words", "embedding", ("t", "i"), "y", {})
    return Program("p", ("i",), ("y",), specs, {"t": held}, (call,))


def test_rows_are_read_at_indices_of_run_time() -> None:
    indices = np.array([[0, 8, 3], [7, 7, 1]])
    for form, held in (
        (INT8, np.arange(36, dtype=np.int8).reshape(9, 4)),
        (hw.FLOAT32, np.linspace(-1, 1, 36, dtype=np.float32).reshape(9, 4)),
    ):
        for bits, kind in ((64, np.int64), (32, np.int32), (8, np.int8)):
            made = rows(form, held, bits)
            for where in (indices, indices[:1], indices[:0]):
                (stream,) = made.run(where.astype(kind))
                (traced,) = made.run(where.astype(kind), trace=lambda *_: None)
                for y in (stream, traced):
                    np.testing.assert_array_equal(y, held[where])
                    assert y.dtype == held.dtype
    for run in ({}, {"trace": lambda *_: None}):
        with pytest.raises(InputError, match=r"^layer 'words', call 'c' \(embedding\): .*not 9 at"):
            made.run(indices + 1, **run)


def test_a_table_without_rows_and_constant_indices_outside_are_refused() -> None:
    with pytest.raises(ModelError, match="must have rows"):
        rows(INT8, np.zeros((0, 4), np.int8))
    specs = {"y": TensorSpec("y", (2, 4), INT8), "x": TensorSpec("x", (2, 4), INT8)}
    held = {"t": np.zeros((9, 4), np.int8), "i": np.array([0, 9])}
    calls = (
        Call("c", "", "embedding", ("t", "i"), "y", {}),
        Call("d", "", "minimum", ("x", "y"), "z", {}),
    )
    specs["z"] = TensorSpec("z", (2, 4), INT8)
    with pytest.raises(ModelError, match=r"must be a row, not 9 \(accepted: 0\.\.8\)"):
        Program("p", ("x",), ("z",), specs, held, calls)
