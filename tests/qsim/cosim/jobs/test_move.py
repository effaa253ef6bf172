"""Beats of moves: what they write reads the result, as the definition of move.sv has it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hw_models import FixedFormat
from qsim import Target
from qsim.cosim.jobs import bindable, move
from qsim.cosim.jobs.makers import job
from qsim.cosim.jobs.reading import Reading, addresses, reading
from qsim.cosim.jobs.unit import Job
from qsim.errors import UsageError
from qsim.golden import Case, directed
from tests.qsim.cosim.jobs import array_cases as arrays
from tests.qsim.cosim.jobs import elementwise_cases as make

TFLITE = Target.load("tflite")
D = move.DIMENSIONS


def permuted(shape: Sequence[int], dims: Sequence[int], form: FixedFormat = make.INT8) -> Case:
    x = arrays.codes(form, tuple(shape))
    return make.made(
        "permute", {"dims": list(dims)}, {"x": (x, form)}, form, tuple(shape[d] for d in dims)
    )


def played(made: Job) -> list[int]:
    """Return what the header of move.sv makes of the beats, in plain integers."""
    fields = made.unit.inputs.unpack(made.beats)
    bits = made.unit.parameters["ADDRESS_W"]
    memory: tuple[dict[int, int], ...] = ({}, {}, {})
    out: list[int] = []
    columns = (fields[name][:, 0].tolist() for name in ("kind", "address", "value"))
    for kind, address, value in zip(*columns, strict=True):
        if kind < 3:
            memory[kind][address] = value
            continue
        codes, positions, registers = memory
        for index in itertools.product(*(range(registers[d] + 1) for d in range(D))):
            taken = [positions[i] if registers[2 * D + 1] == d else i for d, i in enumerate(index)]
            place = registers[2 * D] + sum(k * registers[D + d] for d, k in enumerate(taken))
            out.append(codes[place % (1 << bits)])
    return out


def expected(made: Job) -> list[int]:
    """Return the codes that must come out, as raw bits."""
    values = made.unit.outputs.unpack(made.expected)["y"][:, 0]
    return [int(code) & ((1 << made.unit.parameters["CODE_W"]) - 1) for code in values]


CASES = {
    **{
        case.name: case
        for name in ("strided_slice", "gather")
        for case in directed.cases(name, TFLITE, 3, 100)
    },
    "permute": permuted((2, 3, 4, 5), (0, 2, 3, 1)),
    "samples mix": permuted((2, 3, 4), (2, 0, 1)),
    "of 16 bits": permuted((1, 3, 4), (0, 2, 1), FixedFormat(16)),
    "eight dimensions": permuted((2, 1, 2, 3, 1, 2, 2, 2), (0, 1, 3, 2, 4, 6, 7, 5)),
    "no dimension": permuted((), ()),
}


@pytest.mark.parametrize("name", CASES)
def test_the_beats_make_what_is_expected(name: str) -> None:
    case = CASES[name]
    made = job(case, TFLITE)
    assert played(made) == expected(made)
    assert made.elements == case.size
    assert made.last.sum() == made.expected_last.sum()
    whole = reading(case)
    flat = np.ascontiguousarray(case.operands["x"]).reshape(-1)
    assert np.array_equal(flat[addresses(whole)], case.expected.reshape(-1))
    assert np.array_equal(addresses(whole.at_most(1)), addresses(whole))
    theirs = bindable(case, TFLITE)
    assert [field.name for field in theirs.unit.inputs.fields] == ["x"]
    assert theirs.unit.packet * theirs.expected_last.sum() == case.size


def test_calls_share_a_unit_that_has_room_for_the_largest() -> None:
    units = [job(case, TFLITE).unit for case in CASES.values()]
    parameters = [unit.parameters for unit in units if unit.parameters["CODE_W"] == 8]
    assert len({tuple(each.items()) for each in parameters}) == 1
    assert parameters[0] == {
        "CODE_W": 8, "ADDRESS_W": 8, "TABLE_W": 8, "DIMENSIONS": 6, "VALUE_W": 8,
    }  # fmt: skip
    large = job(permuted((2, 17, 16), (0, 2, 1)), TFLITE).unit.parameters
    assert (large["ADDRESS_W"], large["VALUE_W"]) == (12, 12)


def test_dimensions_are_counted_together_only_where_there_are_too_many() -> None:
    made = Reading((2, 3, 1, 4), (12, 4, 4, 1))
    assert made.at_most(4) is made
    assert made.at_most(3) == Reading((6, 1, 4), (4, 4, 1))
    assert made.at_most(1) == Reading((24,), (1,))
    turned = Reading((2, 3, 4), (1, 8, 2))
    assert turned.at_most(2).at_most(1) == turned.at_most(1) == Reading((2, 12), (1, 2))
    picked = Reading((2, 2, 3), (12, 3, 1), 0, 1, (3, 0))
    assert picked.at_most(1) == picked  # nothing goes over the gathered dimension


def test_what_the_memories_have_no_room_for_is_refused() -> None:
    shape = (1, 2, 2, 2, 2, 2, 2, 2)
    with pytest.raises(UsageError, match="no RTL for 7 dimensions") as caught:
        job(permuted(shape, (0, 7, 6, 5, 4, 3, 2, 1)), TFLITE)
    assert "at most 6" in str(caught.value)
    x = np.zeros((1, (1 << 24) + 1), np.int8)
    wide = make.made(
        "strided_slice", {"starts": [0, 0], "steps": [1, 0], "sizes": [-1, 1]},
        {"x": (x, make.INT8)}, make.INT8, (1, 1),
    )  # fmt: skip
    with pytest.raises(UsageError, match="a sample of 16777217 codes"):
        job(wide, TFLITE)


TABLE = np.arange(-10, 20).reshape(5, 2, 3)


@pytest.mark.parametrize("indices", [4, [1, 0, 4, 4], [[0, 3, 1], [2, 2, 4]]])
def test_rows_of_a_table_are_read_at_positions_of_run_time(indices: Any) -> None:
    where = np.array(indices)
    shape = (*where.shape, *TABLE.shape[1:])
    operands = {"table": (TABLE, make.INT8), "indices": (where, FixedFormat(64))}
    case = make.made("embedding", {}, operands, make.INT8, shape)
    made = job(case, TFLITE)
    assert np.array_equal(case.expected, TABLE[where])
    assert played(made) == expected(made)
    # The table is written once; the second row of indices alone follows on it.
    runs = max(where.size // 3, 1) if where.ndim == 2 else 1
    kinds = made.unit.inputs.unpack(made.beats)["kind"][:, 0].tolist()
    assert [kinds.count(kind) for kind in (0, 1, 2, 3)] == [30, where.size, 14, runs]
