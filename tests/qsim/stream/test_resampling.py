"""Transposed correlations and resizes in the command stream equal the interpreter's."""

from __future__ import annotations

from typing import Any

import pytest

from qsim.program.program import Program
from tests.qsim.stream.programs import Maker
from tests.qsim.stream.test_stream import check


def transposed_program(seed: int) -> Program:
    maker = Maker(seed)
    channels, spatial = maker.pick(1, 4, 16), maker.pick(1, 2, 2)
    x = maker.input(channels, *(maker.integer(3, 6) for _ in range(spatial)))
    groups, outputs = maker.pick((1, 5), (1, 16), (channels, channels), (1, 40))
    kernel = [maker.integer(1, 4) for _ in range(spatial)]
    weight, zero = maker.weight(channels, outputs // groups, *kernel)
    attributes = {
        "stride": [maker.integer(1, 3) for _ in kernel],
        "padding": [[maker.integer(0, k // 2), maker.integer(0, k // 2)] for k in kernel],
        "output_padding": maker.pick(0, [maker.integer(0, 2) for _ in kernel]),
        "dilation": [maker.integer(1, 2) for _ in kernel],
        "groups": groups,
        "x_zero_point": maker.code(),
        "weight_zero_point": zero,
        "accumulator": {"bits": 32, "overflow": "wrap", "at": "sum", "order": "channel_first"},
    }
    y = maker.call("transposed_correlation", (maker.clamp(x), weight), attributes)
    y = maker.after(y, outputs, 1)
    return Program("p", (x,), (y,), maker.tensors, maker.constants, tuple(maker.calls))


@pytest.mark.parametrize("seed", range(24))
def test_transposed_correlations(seed: int) -> None:
    for batch in (1, 2, 5):
        check(transposed_program(seed), batch, seed)


def test_most_transposed_correlations_are_commands() -> None:
    streams = [transposed_program(seed).stream().compiled.commands for seed in range(24)]
    assert sum(all(command.op is not None for command in commands) for commands in streams) >= 17


@pytest.mark.parametrize(
    "attributes",
    [
        {"size": [7, 3], "mode": "nearest", "align_corners": False, "half_pixel_centers": True},
        {"size": [2, 9], "mode": "nearest", "align_corners": True, "half_pixel_centers": False},
        {"size": [8, 10], "mode": "bilinear", "align_corners": False, "half_pixel_centers": True},
        {"scale": [4, 2, 6, 2], "offset": [0, 1], "border": [0, 1], "mode": "nearest"},
    ],
)
def test_resizes(attributes: dict[str, Any]) -> None:
    maker = Maker(1)
    x = maker.input(5, 4, 5)
    nearest = attributes["mode"] == "nearest"
    primitive = "resize" if "size" in attributes else "resize_scaled"
    # A pooling has its channels innermost, and so what follows it.
    y = maker.call(primitive, (maker.pool(x) if nearest else x,), attributes)
    program = Program("p", (x,), (y,), maker.tensors, maker.constants, tuple(maker.calls))
    assert all(command.op is not None for command in program.stream().compiled.commands)
    for batch in (1, 2, 5):
        check(program, batch)
