"""Jobs of correlation, pooling and whole layers: what their beats hold, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models import FixedFormat
from hw_models.pools.avg_pool import reference as average
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo
from qsim.cosim.jobs import conv_engine, correlation
from qsim.cosim.jobs.makers import job
from qsim.cosim.jobs.operands import Width, width_of
from qsim.cosim.jobs.unit import Job
from qsim.errors import UsageError
from qsim.golden import Case
from qsim.target import Target
from tests.qsim.cosim.jobs import array_cases as make

SMALL = make.target(3, 2)
ONE = FixedPoint(1 << 30, 31)


def sums_of(made: Job) -> list[list[int]]:
    """Return what the beats add up to, worked out from the fields alone: one row per packet."""
    unit = made.unit
    rows, columns = unit.parameters["ROWS"], unit.parameters["COLUMNS"]
    sent = unit.inputs.unpack(made.beats)
    x = (sent["x"] - sent["x_zero_point"])[:, None, :]
    weight = sent["weight"].reshape(-1, rows, columns) - sent["weight_zero_point"][:, :, None]
    per_beat = (x * weight).sum(axis=2)
    ends = np.flatnonzero(made.last)
    starts = [0, *(ends[:-1] + 1)]
    return [per_beat[a : b + 1].sum(axis=0).tolist() for a, b in zip(starts, ends, strict=True)]


def restored(made: Job) -> np.ndarray:
    """Return the call's result from the expected beats and the element map."""
    values = made.unit.outputs.unpack(made.expected)[made.field]
    result = np.full(int(np.prod(made.shape)), 1 << 40)
    held = made.element >= 0
    assert len(set(made.element[held].tolist())) == made.elements == result.size
    assert not values[~held].any()
    result[made.element[held]] = values[held]
    return result.reshape(made.shape)


CASES: dict[str, Case] = {
    "correlation": make.correlation(
        (2, 4, 5, 4), (10, 2, 3, 2), groups=2, padding=[[1, 0], [2, 1]], stride=[1, 2],
        x_zero_point=-7, weight_zero_point={"constant": "points"},
        constants={"points": np.arange(10) - 4},
    ),
    "volumes": make.correlation(
        (2, 4, 5, 4, 3), (4, 2, 2, 3, 2), groups=2, padding=[[1, 0], [0, 1], [1, 1]],
        stride=[1, 2, 1], dilation=[2, 1, 1], x_zero_point=-7, pad_value=5,
    ),
    "linear": make.linear((2, 3, 7), (5, 7)),
    "matmul": make.matmul((2, 1, 3, 5), (3, 5, 4)),
    "max_pool": make.pool("max_pool", (2, 5, 6, 5), kernel=3, stride=2, padding=1),
    "avg_pool": make.pool("avg_pool", (2, 5, 6, 5), kernel=3, stride=2, padding=1),
    "max_pool of volumes": make.pool(
        "max_pool", (1, 5, 4, 5, 3), kernel=[2, 3, 2], stride=[1, 2, 1], padding=1,
        dilation=[2, 1, 1],
    ),
    "avg_pool of volumes": make.pool(
        "avg_pool", (1, 5, 4, 5, 3), kernel=[2, 3, 2], stride=[1, 2, 1], padding=1, zero_point=9,
        count_include_pad=True, ceil_mode=True,
    ),
    "max_pool, adaptive": make.pool("max_pool", (2, 5, 7, 5), kernel=None, output_size=[3, 4]),
    "avg_pool, adaptive": make.pool("avg_pool", (1, 5, 7, 5, 3), kernel=None, output_size=2),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_element_has_one_place(name: str) -> None:
    case = CASES[name]
    assert np.array_equal(restored(job(case, SMALL)), case.expected)


@pytest.mark.parametrize("name", [name for name in CASES if "pool" in name])
def test_a_packet_has_the_taps_of_its_window(name: str) -> None:
    case = CASES[name]
    made = job(case, SMALL)
    taps = made.unit.inputs.unpack(made.beats)["x"]
    ends = np.flatnonzero(made.last)
    for start, end, elements in zip([0, *(ends[:-1] + 1)], ends, made.element, strict=True):
        for lane, element in enumerate(elements.tolist()):
            codes = [int(code) for code in taps[start : end + 1, lane]]
            mean = average(codes) if case.primitive == "avg_pool" else max(codes)
            assert element < 0 or case.expected.reshape(-1)[element] == mean


@pytest.mark.parametrize("name", ["correlation", "volumes", "linear", "matmul"])
def test_the_beats_add_up_to_the_sums(name: str) -> None:
    made = job(CASES[name], SMALL)
    assert sums_of(made) == made.unit.outputs.unpack(made.expected)["acc"].tolist()


def test_the_products_are_in_the_order_of_the_accumulator() -> None:
    x = np.arange(8, dtype=np.int8).reshape(1, 2, 2, 2)
    weight = np.ones((1, 2, 2, 2), np.int8)
    base = make.correlation((1, 2, 2, 2), (1, 2, 2, 2))
    taken = {}
    for order in ("channel_first", "channel_last"):
        attributes = dict(base.attributes) | {"accumulator": make.WRAP | {"order": order}}
        case = make.case("correlation", (x, weight), (make.INT8, make.INT8), attributes)
        made = job(case, SMALL)
        taken[order] = made.unit.inputs.unpack(made.beats)["x"].reshape(-1).tolist()
    assert taken == {
        "channel_first": [0, 1, 2, 3, 4, 5, 6, 7],
        "channel_last": [0, 4, 1, 5, 2, 6, 3, 7],
    }


def test_idle_lanes_add_nothing() -> None:
    made = job(make.linear((1, 3), (4, 3)), SMALL)
    sent = made.unit.inputs.unpack(made.beats)
    assert made.element.tolist() == [[0, 1, 2], [3, -1, -1]]
    assert sent["x"][1::2, 1].tolist() == [-7, -7]  # the zero point
    assert made.last.tolist() == [False, True] * 2


def test_the_calls_of_a_network_share_a_unit() -> None:
    narrow = Target.load("narrow20")
    accumulator = {"bits": 20, "overflow": "saturate", "at": "mac", "order": "channel_first"}
    six = (make.INT8, FixedFormat(6))
    calls = [
        make.correlation((1, 2, 3, 3), (4, 2, 2, 2), six, accumulator=accumulator),
        make.correlation((1, 3, 9), (9, 1, 3), six, groups=3, accumulator=accumulator, padding=1),
        make.linear((1, 3), (4, 3), accumulator=accumulator),
    ]
    units = [correlation.unit(case, narrow) for case in calls]
    assert units[0] == units[1]
    assert units[0].parameters["W_W"] == 6
    assert units[2].parameters["W_W"] == 8  # codes that 6 bits do not hold
    assert [unit.primitive for unit in units] == ["correlation", "correlation", "linear"]
    assert {unit.module for unit in units} == {"correlation"}


@pytest.mark.parametrize("taps", [1, 100_000])
def test_a_sum_before_its_rule_has_room_for_the_largest_products(taps: int) -> None:
    from hw_models import Accumulator

    eight = Width(8, signed=False)
    bits = correlation.exact_bits(Accumulator(32, "saturate"), eight, eight, taps)
    largest = (2**8 - 1 + 2**8) ** 2 * max(taps, 1 << 16)
    assert largest < 1 << (bits - 1)
    assert correlation.exact_bits(Accumulator(20, "wrap"), eight, eight, taps) == 20


@pytest.mark.parametrize(
    ("codes", "width"),
    [
        ([0, 127], Width(8, signed=True)),
        ([200], Width(9, signed=False)),
        ([300], Width(9, signed=False)),
        ([512], Width(10, signed=False)),
        ([-129], Width(9, signed=True)),
        ([-1, 255], Width(9, signed=True)),
        ([np.zeros(0, np.int8)], Width(8, signed=True)),
    ],
)
def test_a_width_is_the_first_that_holds_all_codes(codes: list[Any], width: Width) -> None:
    formats = (make.INT8, FixedFormat(9, signed=False))
    assert width_of(formats, codes) == width


def test_a_mean_counts_the_padding_where_it_should() -> None:
    x = np.array([[[10, 20, 30]]], np.int8)
    attributes = {
        "kernel": [2], "stride": [2], "padding": 1, "ceil_mode": False,
        "rounding": "floor", "count_include_pad": True, "zero_point": -4,
    }  # fmt: skip
    target = make.target(1)
    with_padding = job(make.case("avg_pool", (x,), (make.INT8,), attributes), target)
    without = attributes | {"count_include_pad": False}
    bare = job(make.case("avg_pool", (x,), (make.INT8,), without), target)
    assert with_padding.beats[:, 0].astype(np.int8).tolist() == [-4, 10, 20, 30]
    assert bare.beats[:, 0].astype(np.int8).tolist() == [10, 20, 30]
    assert bare.last.tolist() == [True, False, True]
    divided = make.case("avg_pool", (x,), (make.INT8,), attributes | {"divisor": 3})
    with pytest.raises(UsageError, match="an average with a divisor of its own"):
        job(divided, target)
    centered = make.case("avg_pool", (x,), (make.INT8,), attributes | {"centered": True})
    with pytest.raises(UsageError, match="no RTL for an average of codes less their zero point"):
        job(centered, target)


def test_a_layer_is_written_and_started_once_per_image() -> None:
    calls = make.layer(make.correlation((2, 2, 2, 2), (4, 2, 1, 1)), FixedPoint(1 << 30, 37))
    made = conv_engine.job(calls, make.target(3))
    kinds = made.unit.inputs.unpack(made.beats)["kind"][:, 0].tolist()
    image = [0] * 8 + [5]
    # 22 registers, 4 channels, 2 tiles of zero points, 2 tiles of 2 taps, and the images.
    assert kinds == [4] * 22 + [3] * 4 + [2] * 2 + [1] * 4 + image * 2
    assert made.last.tolist() == [kind == 5 for kind in kinds]
    assert np.flatnonzero(made.expected_last).tolist() == [15, 31]
    assert made.element[:5, 0].tolist() == [0, 4, 8, 12, 1]
    assert np.array_equal(restored(made), calls[-1].expected)


def test_a_layer_that_is_too_large_is_refused_with_the_shortfall() -> None:
    calls = make.layer(make.correlation((1, 3, 8, 8), (4, 3, 1, 1)), ONE)
    conv_engine.job(calls, make.target(3, memory=192))
    with pytest.raises(UsageError, match=r"codes of an image: 192, 2 too many.*at most 190"):
        conv_engine.job(calls, make.target(3, memory=190))


def test_a_larger_layer_gets_a_larger_engine_where_memory_is_not_stated() -> None:
    calls = make.layer(make.correlation((1, 1, 300, 300), (1, 1, 1, 1)), ONE)
    made = conv_engine.job(calls, make.target(1))
    assert made.unit.parameters["X_DEPTH"] == 1 << 17


@pytest.mark.parametrize(
    ("scheme", "what"),
    [
        (FloatScale(0.1), "float_scale"),
        (PowerOfTwo(3, "stochastic", 1), "power_of_two stochastic"),
    ],
)
def test_a_scheme_without_rtl_is_refused(scheme: Any, what: str) -> None:
    calls = make.layer(make.correlation((1, 1, 2, 2), (1, 1, 1, 1)), scheme)
    with pytest.raises(UsageError, match=f"no RTL of whole layers for the scheme {what}"):
        conv_engine.job(calls, SMALL)


def test_calls_that_are_no_layer_are_refused() -> None:
    calls = make.layer(make.correlation((1, 1, 2, 2), (1, 1, 1, 1)), ONE)
    with pytest.raises(UsageError, match="calls that follow each other"):
        conv_engine.job(calls[:2], SMALL)
    other = make.layer(make.correlation((1, 1, 2, 2), (1, 1, 1, 1), seed=9), ONE)
    with pytest.raises(UsageError, match="must take what 'correlation' made"):
        conv_engine.job([calls[0], *other[1:]], SMALL)


def test_a_parameter_along_another_dimension_is_refused() -> None:
    sums = make.correlation((1, 1, 2, 2), (2, 1, 1, 1))
    calls = make.layer(sums, FixedPoint((1 << 30, 1 << 29), 31), axis=2)
    with pytest.raises(UsageError, match="must be per output channel, not along dimension 2"):
        conv_engine.job(calls, SMALL)


def test_an_engine_of_images_refuses_volumes() -> None:
    calls = make.layer(make.correlation((1, 1, 2, 2, 2), (1, 1, 1, 1, 1)), ONE)
    with pytest.raises(UsageError, match="must be of images, not of volumes"):
        conv_engine.job(calls, SMALL)
