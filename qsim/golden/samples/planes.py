"""Calls that resample, and interpolated tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models import FixedFormat
from qsim.golden.samples.call import Call, Codes
from qsim.program import accumulator_to_json, format_to_json
from qsim.target import has_zero_point

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.program import Json


def interpolate(codes: Codes, count: int) -> Iterator[Call]:
    """Give a table of random entries: 512 intervals for codes of more than 9 bits, else 16."""
    form, entries = codes.target.input.format, codes.target.output.format
    if not form.signed:
        form = FixedFormat(form.bits)
    intervals = 512 if form.bits > 9 else min(16, 1 << form.bits)
    # An exact table takes slopes that its entries' format holds.
    table = np.sort(codes.array(entries, (intervals + 1,)) // 2)
    for result in ("rounded", "exact"):
        attributes: dict[str, Json] = {
            "table": {"constant": "table"},
            "intervals": intervals,
            "entries": format_to_json(entries),
            "result": result,
        }
        x = codes.array(form, (1, count))
        yield Call(result, attributes, {"x": x}, {"x": form}, {"table": table})


def resize(codes: Codes, count: int) -> Iterator[Call]:
    """Give pictures that become larger and smaller, by both modes."""
    form = codes.target.input.format
    for mode in ("bilinear", "nearest"):
        for name, size in (("up", (7, 9)), ("down", (3, 2))):
            attributes: dict[str, Json] = {
                "size": [*size],
                "mode": mode,
                "align_corners": False,
                "half_pixel_centers": True,
            }
            x = codes.array(form, (-(-count // 180), 2, 5, 4))
            yield Call(f"{mode}-{name}", attributes, {"x": x}, {"x": form})


def resize_scaled(codes: Codes, count: int) -> Iterator[Call]:
    """Give pictures that become twice as large, by both modes."""
    form = codes.target.input.format
    for mode in ("bilinear", "nearest"):
        attributes: dict[str, Json] = {
            "scale": [4, 2, 4, 2],
            "offset": [0, 0],
            "border": [0, 0],
            "mode": mode,
        }
        x = codes.array(form, (-(-count // 250), 2, 5, 4))
        yield Call(mode, attributes, {"x": x}, {"x": form})


def transposed_correlation(codes: Codes, count: int) -> Iterator[Call]:
    """Give a transposed convolution of two groups with strides and dilation."""
    target = codes.target
    form, weight = target.input.format, target.weight.format
    shared: dict[str, Any] = {
        "x_zero_point": codes.point(form),
        "weight_zero_point": 3 if has_zero_point(target.weight.scheme) else 0,
        "accumulator": accumulator_to_json(target.correlation.accumulator),
    }
    samples = -(-count // 1000)
    for name, groups, stride, dilation in (("strided", 1, (2, 3), 1), ("dilated", 2, (1, 2), 2)):
        attributes: dict[str, Json] = {
            "stride": [*stride],
            "padding": 1,
            "output_padding": 0,
            "dilation": dilation,
            "groups": groups,
            **shared,
        }
        operands = {
            "x": codes.array(form, (samples, 4, 4, 5)),
            "weight": codes.array(weight, (4, 2, 3, 2)),
        }
        yield Call(name, attributes, operands, {"x": form, "weight": weight})
