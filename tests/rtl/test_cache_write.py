"""cache_write.sv on a simulator: rows at positions of run time, rings, full caches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_models import FixedFormat
from qsim.cosim.jobs.makers import job
from qsim.cosim.jobs.unit import Job
from qsim.errors import UsageError
from qsim.target import Target
from tests.qsim.cosim.jobs.array_cases import cache_write
from tests.rtl.arrays import FULL, agree, broken, first_difference, run

TARGET = Target.load("integer-transformer")
WRITES: dict[str, dict[str, Any]] = {
    "first": {"shape": (1, 2, 5, 3), "positions": [0]},
    "last": {"shape": (2, 2, 5, 3), "positions": [4]},
    "several, out of order, one twice": {"shape": (2, 5, 3), "positions": [3, 0, 3]},
    "rows behind one position": {"shape": (1, 7, 2), "positions": [2], "count": 4},
    "a line": {"shape": (2, 2, 9), "positions": [8, 1], "axis": 2},
    "before all": {"shape": (4, 3), "positions": [1, 2], "axis": 0},
    "a ring": {"shape": (2, 5, 3), "positions": [5, -1, -5, -6, 12345], "ring": True},
    "a ring that goes round": {"shape": (3, 4), "positions": [2], "count": 5, "ring": True},
    "the ends of a position": {
        "shape": (3, 4), "positions": [(1 << 31) - 1, -(1 << 31)], "ring": True,
    },
    "16 bits": {"shape": (1, 3, 2), "positions": [1], "form": FixedFormat(16)},
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
def test_rows_replace_others(name: str) -> None:
    made = job(cache_write(**WRITES[name]), TARGET)
    outcome = run(made, FULL)
    assert outcome.agrees
    assert outcome.cycles <= len(made.beats) + len(made.expected) + 2


def test_under_stalls_and_resets() -> None:
    agree(job(cache_write((2, 5, 3), [3, 0, 3]), TARGET))


@pytest.mark.soak
@pytest.mark.parametrize("name", WRITES)
def test_on_verilator(name: str) -> None:
    agree(job(cache_write(**WRITES[name]), TARGET), "verilator")


def told(made: Job, position: int) -> Job:
    """Return a job whose rows are told another position."""
    fields = {name: each[:, 0] for name, each in made.unit.inputs.unpack(made.beats).items()}
    bits = made.unit.parameters["POSITION_W"]
    fields["value"] = np.where(fields["kind"] == 2, position % (1 << bits), fields["value"])
    return replace(made, beats=made.unit.inputs.pack(fields, len(made.beats)))


@pytest.mark.parametrize("position", [5, -1, -5, (1 << 31) - 1, -(1 << 31)])
def test_a_linear_cache_drops_a_row_that_has_no_place(position: int) -> None:
    case = cache_write((2, 5, 3), [4])
    made = told(job(case, TARGET), position)
    kept = made.unit.outputs.pack({"y": case.operands["cache"].reshape(-1)}, case.size)
    assert run(replace(made, expected=kept), FULL).agrees


def test_what_it_has_no_room_for_is_refused() -> None:
    with pytest.raises(UsageError, match="no RTL for the position 2147483648"):
        job(cache_write((3, 4), [1 << 31], ring=True), TARGET)
    with pytest.raises(UsageError, match="a cache of 1048578 codes"):
        job(cache_write(((1 << 19) + 1, 2), [0]), TARGET)


def test_a_step_too_short_is_found_where_it_matters(tmp_path: Path) -> None:
    made = job(cache_write((2, 5, 3), [4]), TARGET)
    right = "start <= start + pitch"
    rtl = broken(tmp_path, "cache_write.sv", right, "start <= start - 1'b1 + pitch")
    assert first_difference(made, rtl) == (1, 3, 2)
