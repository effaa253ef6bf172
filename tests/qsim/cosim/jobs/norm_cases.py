"""Calls of the norms, for tests of their beats and of their RTL."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hw_models import FixedFormat, FixedPoint, IntegerNorm
from qsim.golden import Case
from qsim.program import encode_scheme, format_to_json
from tests.qsim.cosim.jobs import array_cases as arrays
from tests.qsim.cosim.jobs.elementwise_cases import INT8, made


def norm(
    primitive: str,
    shape: tuple[int, ...],
    split: int = 1,
    scheme: IntegerNorm | None = None,
    form: FixedFormat = INT8,
    *,
    plain: bool = False,
    **changes: Any,
) -> Case:
    """Return a norm of drawn codes; ``split``: its groups or dims; ``plain``: without weight."""
    grouped = primitive == "group_norm"
    of = shape[1:2] if grouped else shape[len(shape) - split :]
    count = math.prod(shape[1:]) // split if grouped else math.prod(of)
    random = np.random.default_rng(count)
    constants: dict[str, Any] = {}
    attributes: dict[str, Any] = {
        "scheme": encode_scheme(
            scheme or IntegerNorm.from_scales(count, 0.05, 0.02, 1 / 300), "s", constants
        ),
        "weight": None if plain else {"constant": "weight"},
        "zero_point": -9,
        "output": format_to_json(INT8),
        "clamp": None,
        "groups" if grouped else "dims": split,
    }
    if not plain:
        constants["weight"] = random.integers(-300, 301, of)
    if primitive == "rms_norm":
        attributes["x_zero_point"] = 7
    else:
        attributes["bias"] = None if plain else {"constant": "bias"}
        if not plain:
            constants["bias"] = random.integers(-(1 << 20), 1 << 20, of)
    x = arrays.codes(form, shape)
    return made(primitive, attributes | changes, {"x": (x, form)}, INT8, shape, constants)


def every() -> dict[str, Case]:
    """Return calls of every layout of rows, by a name."""
    keep = IntegerNorm(FixedPoint.from_scale(1.0), 5, 4, 12)
    return {
        "layer": norm("layer_norm", (3, 6)),
        "layer of two dimensions": norm("layer_norm", (2, 3, 4), 2),
        "layer without weights": norm("layer_norm", (2, 1, 5), 1, keep, plain=True),
        "groups": norm("group_norm", (2, 4, 3), 2),
        "groups of a plane": norm("group_norm", (2, 6, 2, 2), 3),
        "instances": norm("group_norm", (2, 3, 5), 3),
        "rms": norm("rms_norm", (3, 6)),
        "rms of two dimensions": norm("rms_norm", (2, 2, 3), 2, clamp=[-100, 50]),
    }
