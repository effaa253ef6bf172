"""max_pool.sv and avg_pool.sv on a simulator: every window and rounding, and broken copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_models import FixedFormat
from qsim.cosim.jobs.makers import job
from qsim.cosim.lanes.interface import Stimulus
from tests.qsim.cosim.jobs import array_cases as make
from tests.rtl.arrays import FULL, SMALL, agree, broken, first_difference, run


@pytest.mark.parametrize("primitive", ["max_pool", "avg_pool"])
@pytest.mark.parametrize(
    ("x", "changes"),
    [
        ((2, 5, 6, 5), {}),
        ((1, 4, 7, 8), {"kernel": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
        ((1, 4, 7, 8), {"kernel": [2, 3], "stride": [2, 1], "padding": [[1, 0], [0, 1]]}),
        ((2, 2, 9), {"kernel": [3], "stride": [2], "padding": 1, "ceil_mode": True}),
        ((1, 7, 3, 4), {"kernel": None}),
    ],
)
@pytest.mark.parametrize("form", [make.INT8, make.UINT8])
def test_every_window(
    primitive: str, x: tuple[int, ...], changes: dict[str, Any], form: FixedFormat
) -> None:
    agree(job(make.pool(primitive, x, form, **changes), SMALL))


def test_a_window_with_gaps() -> None:
    agree(job(make.pool("max_pool", (1, 4, 9, 8), kernel=3, stride=2, dilation=2), SMALL))


@pytest.mark.parametrize(
    "rounding",
    ["floor", "ceil", "toward_zero", "away", "half_up", "half_down", "half_away",
     "half_toward_zero", "half_even", "half_odd"],
)  # fmt: skip
@pytest.mark.parametrize("zero_point", [-7, 90])
def test_every_rounding_of_a_mean(rounding: str, zero_point: int) -> None:
    case = make.pool(
        "avg_pool", (2, 3, 9, 8), kernel=2, stride=1, padding=1, rounding=rounding,
        count_include_pad=True, zero_point=zero_point,
        output={"bits": 6, "signed": True, "narrow": True},
    )  # fmt: skip
    assert {-31, 31} <= set(case.expected.reshape(-1).tolist())
    agree(job(case, SMALL))


@pytest.mark.parametrize(
    "primitive", [pytest.param("max_pool", marks=pytest.mark.soak), "avg_pool"]
)
def test_verilator_too(primitive: str) -> None:
    agree(job(make.pool(primitive, (1, 4, 7, 8)), SMALL), "verilator")


@pytest.mark.parametrize(("primitive", "latency"), [("max_pool", 1), ("avg_pool", 2)])
def test_one_beat_a_cycle(primitive: str, latency: int) -> None:
    made = job(make.pool(primitive, (1, 4, 7, 8)), SMALL)
    # The bench holds a beat for one cycle.
    assert run(made, FULL).cycles <= len(made.beats) + 1 + latency


@pytest.mark.parametrize("primitive", ["max_pool", "avg_pool"])
def test_a_result_that_is_overwritten_while_it_waits_is_found(
    tmp_path: Path, primitive: str
) -> None:
    file, right, wrong = {
        "max_pool": (
            "packet_register.sv", "assign s_axis_tready = ", "assign s_axis_tready = 1 || "
        ),
        "avg_pool": ("avg_pool.sv", "wire free = !m_axis_tvalid ||", "wire free = 1 ||"),
    }[primitive]  # fmt: skip
    rtl = broken(tmp_path, file, right, wrong)
    made = job(make.pool(primitive, (1, 3, 3, 3), kernel=1), SMALL)
    result = run(made, Stimulus(seed=2, stall_output=0.5, idle_limit=1000), rtl=rtl)
    assert result.problems[0].kind in ("unstable", "dropped")


def test_a_maximum_of_the_wrong_sign_is_found(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "max_pool_core.sv", "IN_SIGNED != 0 ?", "IN_SIGNED == 0 ?")
    x = np.array([[[1, 2, -1, -3, -4, 5]]], np.int8)
    attributes = {
        "kernel": [2], "stride": None, "padding": 0, "ceil_mode": False, "dilation": 1
    }  # fmt: skip
    case = make.case("max_pool", (x,), (make.INT8,), attributes)
    assert case.expected.tolist() == [[[2, -1, 5]]]
    assert first_difference(job(case, SMALL), rtl) == (0, 0, 2)


def test_a_wrong_tie_of_a_mean_is_found(tmp_path: Path) -> None:
    tie = "6: up = above_half || (half && positive);"
    rtl = broken(tmp_path, "avg_pool_core.sv", tie, "6: up = above_half || half;")
    x = np.array([[[1, 2, -3, -3, -3, -2]]], np.int8)
    attributes = {
        "kernel": [2], "stride": None, "padding": 0, "ceil_mode": False, "rounding": "half_away",
        "count_include_pad": False, "zero_point": 0,
    }  # fmt: skip
    case = make.case("avg_pool", (x,), (make.INT8,), attributes)
    assert case.expected.tolist() == [[[2, -3, -3]]]
    assert first_difference(job(case, SMALL), rtl) == (0, 0, 2)
