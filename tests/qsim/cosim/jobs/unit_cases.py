"""Calls of the units without floats, made by hand; what is expected comes from hw_models."""

from __future__ import annotations

from typing import Any

import numpy as np

import hw_models as hw
from hw_models import FixedFormat
from hw_models.softmax import IbertSoftmax
from qsim.golden.case import Case
from qsim.program.attributes import format_to_json
from qsim.program.schemes import encode_scheme
from tests.qsim.cosim.jobs.elementwise_cases import INT8, made

INT16 = FixedFormat(16)

UNITS = (
    hw.IbertExp, hw.ExpSigmoid, hw.ExpSilu, hw.IbertGelu, hw.NewtonReciprocal, hw.NewtonRsqrt
)  # fmt: skip


def function(x: Any, unit: Any, form: FixedFormat = INT8, output: FixedFormat = INT8) -> Case:
    attributes = {"scheme": encode_scheme(unit, "scheme", {}), "output": format_to_json(output)}
    return made("integer_function", attributes, {"x": (x, form)}, output, np.shape(x))


def softmax(
    x: Any, scheme: IbertSoftmax, form: FixedFormat = INT8, output: FixedFormat = INT8,
    axis: int = -1,
) -> Case:  # fmt: skip
    attributes = {
        "scheme": encode_scheme(scheme, "scheme", {}),
        "axis": axis % np.ndim(x),
        "output": format_to_json(output),
    }
    return made("softmax", attributes, {"x": (x, form)}, output, np.shape(x))


def masked(
    x: Any, mask: Any, scheme: IbertSoftmax, hides: str = "zero", allowed: Any = None,
    axis: int = -1,
) -> Case:  # fmt: skip
    attributes = {
        "scheme": encode_scheme(scheme, "scheme", {}),
        "axis": axis % np.ndim(x),
        "output": format_to_json(INT8),
        "hides": hides,
        "allowed": None if allowed is None else {"constant": "allowed"},
    }
    constants = {} if allowed is None else {"allowed": np.asarray(allowed, np.int8)}
    operands = {"x": (x, INT8), "mask": (mask, FixedFormat(64))}
    return made("masked_softmax", attributes, operands, INT8, np.shape(x), constants)


def rotary(
    x: Any, cos: Any, sin: Any, scheme: Any, form: FixedFormat = INT8, output: FixedFormat = INT8,
    turn: FixedFormat = INT16, points: tuple[int, int] = (0, 0), pairing: str = "half",
) -> Case:  # fmt: skip
    attributes = {
        "scheme": encode_scheme(scheme, "scheme", {}),
        "pairing": pairing,
        "x_zero_point": points[0],
        "zero_point": points[1],
        "output": format_to_json(output),
    }
    operands = {"x": (x, form), "cos": (cos, turn), "sin": (sin, turn)}
    return made("rotary", attributes, operands, output, np.shape(x))
