"""conv_engine.sv on a simulator: layers of every kind, and copies that are broken."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hw_models import Accumulator, FixedFormat
from hw_models.schemes import FixedPoint, PowerOfTwo
from qsim.cosim.jobs import conv_engine
from qsim.cosim.jobs.unit import Job
from qsim.cosim.lanes.interface import Stimulus
from qsim.golden import Case
from qsim.target import Target
from tests.qsim.cosim.jobs import array_cases as make
from tests.rtl.arrays import FULL, accumulator, agree, broken, first_difference, run

SIX = FixedFormat(6, narrow=True)
DOUBLE = FixedPoint(
    (1 << 30, 1700000000, 2**31 - 1, -(1 << 30)) * 2, tuple(range(36, 44)), "double"
)
NAMES = (
    "two images",
    "depthwise",
    "groups, dilation, no bias",
    "a line",
    "more codes than products",
    "one code",
    "linear",
    "channel first",
    "channel last",
)


@cache
def layers() -> dict[str, tuple[list[Case], Target]]:
    """Return layers of every kind, each with the target that runs it."""
    power = PowerOfTwo(9, "half_even")
    single = FixedPoint(21000, 23, "single", 16)
    narrow = make.target(3, name="narrow20")

    def saturating(order: str, overflow: str) -> list[Case]:
        sums = make.correlation(
            (1, 5, 4, 4), (8, 5, 3, 3), (make.INT8, SIX), padding=1, x_zero_point=-128,
            accumulator=accumulator(14, overflow, "mac", order),
        )  # fmt: skip
        return make.layer(sums, single, Accumulator(14, "saturate"))

    return {
        "two images": (
            make.layer(make.correlation((2, 3, 5, 4), (8, 3, 3, 3), padding=1), DOUBLE),
            make.target(3),
        ),
        "depthwise": (
            make.layer(
                make.correlation(
                    (1, 8, 6, 5), (8, 1, 3, 3), groups=8, stride=[2, 1], x_zero_point=3,
                    padding=[[0, 1], [2, 0]], weight_zero_point={"constant": "points"},
                    constants={"points": np.arange(8) * 3 - 11},
                ),
                DOUBLE,
            ),
            make.target(4),
        ),
        "groups, dilation, no bias": (
            make.layer(
                make.correlation(
                    (1, 6, 7, 6), (8, 3, 3, 2), groups=2, dilation=[2, 3], pad_value=-100,
                    padding=[[3, 2], [1, 4]], x_zero_point=3,
                ),
                power,
                None,
            ),
            make.target(3),
        ),
        "a line": (
            make.layer(
                make.correlation(
                    (3, 4, 9), (8, 2, 3), (make.UINT8, make.INT8), groups=2, dilation=2,
                    stride=2, padding=[[2, 1]], x_zero_point=128,
                ),
                power,
            ),
            make.target(5),
        ),
        "more codes than products": (
            make.layer(make.correlation((1, 1, 3, 4), (8, 1, 1, 1)), single, clamp=[-20, 90]),
            make.target(8),
        ),
        "one code": (
            make.layer(make.correlation((1, 2, 3, 3), (1, 2, 3, 3)), single),
            make.target(1),
        ),
        "linear": (make.layer(make.linear((2, 3, 7), (8, 7)), DOUBLE), make.target(3)),
        "channel first": (saturating("channel_first", "saturate"), narrow),
        "channel last": (saturating("channel_last", "saturate_symmetric"), narrow),
    }  # fmt: skip


def engine(name: str) -> Job:
    return conv_engine.job(*layers()[name])


def test_every_layer_is_listed() -> None:
    assert tuple(layers()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_layer(name: str) -> None:
    made = engine(name)
    assert len(set(layers()[name][0][-1].expected.reshape(-1).tolist())) > 2 or name == "one code"
    agree(made, resets=(len(made.beats) + 100,))


@pytest.mark.parametrize(
    "name", ["depthwise", pytest.param("groups, dilation, no bias", marks=pytest.mark.soak)]
)
def test_verilator_too(name: str) -> None:
    made = engine(name)
    agree(made, "verilator", resets=(len(made.beats) + 100,))


def test_layers_follow_each_other_without_a_reset() -> None:
    jobs = [engine(name) for name in ("two images", "linear", "two images")]
    first = jobs[0]
    assert {made.unit.parameters["ROWS"] for made in jobs} == {3}
    assert all(made.unit == first.unit for made in jobs)
    parts = {
        name: np.concatenate([getattr(made, name) for made in jobs])
        for name in ("beats", "last", "expected", "expected_last", "element")
    }
    agree(replace(first, **parts))


def test_a_reset_while_a_layer_is_written() -> None:
    made = engine("linear")
    assert run(made, Stimulus(resets=(len(made.beats) // 2,))).agrees


def test_the_engine_multiplies_in_every_cycle() -> None:
    made = engine("two images")
    products = 2 * 5 * 4 * 3 * 27  # images, positions, tiles of 3 channels, taps
    assert run(made, Stimulus()).cycles <= len(made.beats) + products + 2 * 10


def test_a_row_beyond_the_image_is_found(tmp_path: Path) -> None:
    inside = "$unsigned(iy) < C_W'(height)"
    rtl = broken(tmp_path, "conv_taps.sv", inside, "$unsigned(iy) <= C_W'(height)")
    made = engine("depthwise")
    assert first_difference(made, rtl)[2] == made.shape[2] - 1


def test_a_tile_that_does_not_end_is_found(tmp_path: Path) -> None:
    end = "group_end || row == SIZE_W'(ROWS - 1)"
    rtl = broken(tmp_path, "conv_drain.sv", end, "group_end")
    made = engine("two images")
    rows = made.unit.parameters["ROWS"]
    result = run(made, Stimulus(idle_limit=1000), rtl=rtl)
    assert made.element[result.differences[0].beat, 0] == rows * made.shape[2] * made.shape[3]


def test_a_multiplier_that_does_not_wait_for_its_sum_is_found(tmp_path: Path) -> None:
    rtl = broken(tmp_path, "conv_codes.sv", "if (read_ready) scale <=", "scale <=")
    made = engine("two images")
    assert run(made, FULL, rtl=rtl).agrees  # nothing waits: nothing to be seen
    first_difference(made, rtl, Stimulus(seed=1, stall_output=0.5))
