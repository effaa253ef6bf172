"""correlation.sv on a simulator: every accumulator and geometry, and copies that are broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hw_models import FixedFormat
from qsim.cosim.jobs.makers import job
from qsim.cosim.lanes.interface import Stimulus
from qsim.golden import Case
from qsim.program.attributes import accumulator_from_json
from tests.qsim.cosim.jobs import array_cases as make
from tests.rtl.arrays import FULL, SMALL, accumulator, agree, broken, first_difference, run

SIX = FixedFormat(6, narrow=True)


@pytest.mark.parametrize("order", ["channel_first", "channel_last"])
@pytest.mark.parametrize("overflow", ["wrap", "saturate", "saturate_symmetric"])
@pytest.mark.parametrize("at", ["sum", "mac"])
def test_every_accumulator(at: str, overflow: str, order: str) -> None:
    case = make.correlation(
        (1, 5, 4, 4),
        (4, 5, 3, 3),
        (make.INT8, SIX),
        padding=1,
        x_zero_point=-128,
        accumulator=accumulator(14, overflow, at, order),
    )
    held = accumulator_from_json(case.attributes["accumulator"])
    if overflow != "wrap":  # both ends are reached, or nothing is tested
        assert {held.min, held.max} <= set(case.expected.reshape(-1).tolist())
    agree(job(case, SMALL))


def test_the_order_of_a_saturating_accumulator_matters() -> None:
    results = [
        make.correlation(
            (1, 5, 4, 4), (4, 5, 3, 3), x_zero_point=-128,
            accumulator=accumulator(14, "saturate", "mac", order),
        ).expected
        for order in ("channel_first", "channel_last")
    ]  # fmt: skip
    assert not np.array_equal(*results)


POINTS = np.arange(6) * 5 - 11
GEOMETRIES: dict[str, Callable[[], Case]] = {
    "batch": lambda: make.correlation((3, 2, 4, 5), (7, 2, 2, 3), x_zero_point=4),
    "strides and one-sided padding": lambda: make.correlation(
        (1, 3, 7, 6), (4, 3, 3, 2), stride=[2, 3], padding=[[0, 2], [1, 0]], x_zero_point=-9
    ),
    "dilation and a padding code": lambda: make.correlation(
        (1, 2, 7, 8), (4, 2, 3, 2), dilation=[2, 3], padding=2, x_zero_point=5, pad_value=-100
    ),
    "groups": lambda: make.correlation((1, 6, 4, 4), (6, 3, 2, 2), groups=2, x_zero_point=1),
    "depthwise, a zero point per channel": lambda: make.correlation(
        (1, 6, 4, 4),
        (6, 1, 3, 3),
        groups=6,
        padding=1,
        x_zero_point=-128,
        weight_zero_point={"constant": "points"},
        constants={"points": POINTS},
    ),
    "a line, unsigned": lambda: make.correlation(
        (2, 4, 9),
        (6, 2, 3),
        (make.UINT8, make.INT8),
        groups=2,
        dilation=2,
        stride=2,
        padding=[[2, 1]],
        x_zero_point=128,
    ),
    "both unsigned": lambda: make.correlation(
        (1, 2, 3, 3),
        (4, 2, 2, 2),
        (make.UINT8, make.UINT8),
        x_zero_point=255,
        weight_zero_point=200,
        pad_value=0,
        padding=1,
    ),
    "a padding code outside the format": lambda: make.correlation(
        (1, 2, 3, 3), (4, 2, 2, 2), padding=1, pad_value=300, x_zero_point=-5
    ),
    "the widest codes": lambda: make.correlation(
        (1, 2, 3, 3),
        (4, 2, 2, 2),
        (FixedFormat(32), FixedFormat(32, signed=False)),
        x_zero_point=2**31 - 1,
        weight_zero_point=2**32 - 1,
        accumulator=accumulator(64, "saturate", "sum"),
    ),
    "linear": lambda: make.linear((2, 3, 7), (5, 7)),
    "matmul of batches": lambda: make.matmul((2, 1, 3, 5), (3, 5, 4)),
    "matmul by one matrix": lambda: make.matmul(
        (2, 3, 5), (5, 4), {"points": POINTS[:4]}, b_zero_point={"constant": "points"}
    ),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_geometry(name: str) -> None:
    agree(job(GEOMETRIES[name](), SMALL))


@pytest.mark.parametrize(
    "name", [pytest.param("both unsigned", marks=pytest.mark.soak), "the widest codes"]
)
def test_verilator_too(name: str) -> None:
    agree(job(GEOMETRIES[name](), SMALL), "verilator")


def test_one_beat_a_cycle() -> None:
    made = job(GEOMETRIES["batch"](), SMALL)
    # The bench and the design each hold a beat for one cycle.
    assert run(made, FULL).cycles <= len(made.beats) + 2


def test_sums_that_start_with_the_last_packet_are_found(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "packet_register.sv", "first <= s_axis_tlast;", "first <= 1'b0;")
    made = job(make.linear((4, 2), (3, 2)), SMALL)
    assert first_difference(made, rtl)[0] == 1


def test_saturation_one_too_late_is_found(tmp_path: Path) -> None:
    rtl = broken(
        tmp_path, "correlation_core.sv", "value > STEP_W'(HIGH)", "value > STEP_W'(HIGH) + 1"
    )
    x, weight = np.array([[63], [65], [64]], np.int8), np.array([[2]], np.int8)
    attributes = {
        "x_zero_point": 0,
        "weight_zero_point": 0,
        "accumulator": accumulator(8, "saturate", "sum"),
    }
    case = make.case("linear", (x, weight), (make.INT8, make.INT8), attributes)
    assert case.expected.tolist() == [[126], [127], [127]]
    assert first_difference(job(case, SMALL), rtl) == (2, 0)


def test_a_result_that_is_overwritten_while_it_waits_is_found(tmp_path: Path) -> None:
    rtl = broken(
        tmp_path, "packet_register.sv", "assign s_axis_tready = ", "assign s_axis_tready = 1 || "
    )
    made = job(make.linear((9, 2), (3, 2)), SMALL)
    result = run(made, Stimulus(seed=2, stall_output=0.5, idle_limit=1000), rtl=rtl)
    assert result.problems[0].kind == "unstable"
