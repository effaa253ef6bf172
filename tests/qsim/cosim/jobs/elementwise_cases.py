"""Calls of the element-wise primitives, made by hand; what is expected comes from hw_models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hw_models import Accumulator, FixedFormat
from qsim.golden.case import Case
from qsim.golden.single import compute
from qsim.program.attributes import accumulator_to_json, format_to_json
from qsim.program.schemes import encode_scheme

INT8, UINT8, INT32 = FixedFormat(8), FixedFormat(8, signed=False), FixedFormat(32)


def made(
    primitive: str,
    attributes: dict[str, Any],
    operands: dict[str, tuple[Any, FixedFormat]],
    output: FixedFormat,
    shape: tuple[int, ...],
    constants: dict[str, Any] | None = None,
) -> Case:
    case = Case(
        name=primitive,
        layer="layer",
        primitive=primitive,
        attributes=attributes,
        operands={name: np.asarray(x).astype(form.dtype) for name, (x, form) in operands.items()},
        constants=constants or {},
        formats={**{name: form for name, (_, form) in operands.items()}, "output": output},
        expected=np.zeros(shape, output.dtype),
    )
    return replace(case, expected=compute(case))


def requantize(
    acc: Any,
    scheme: Any,
    acc_format: FixedFormat = INT32,
    output: FixedFormat = INT8,
    zero_point: int = 0,
    input_zero_point: int = 0,
    clamp: list[int] | None = None,
    axis: int = 1,
) -> Case:
    constants: dict[str, Any] = {}
    attributes = {
        "scheme": encode_scheme(scheme, "scheme", constants),
        "zero_point": zero_point,
        "input_zero_point": input_zero_point,
        "output": format_to_json(output),
        "clamp": clamp,
        "axis": axis,
    }
    operands = {"acc": (acc, acc_format)}
    return made("requantize", attributes, operands, output, np.shape(acc), constants)


def bias_add(
    acc: Any, bias: Any, accumulator: Accumulator, acc_format: FixedFormat = INT32,
    bias_format: FixedFormat = INT32, axis: int = 1,
) -> Case:  # fmt: skip
    attributes = {"axis": axis, "accumulator": accumulator_to_json(accumulator)}
    operands = {"acc": (acc, acc_format), "bias": (bias, bias_format)}
    return made("bias_add", attributes, operands, accumulator.format, np.shape(acc))


def add(
    a: Any, b: Any, adder: Any, formats: tuple[FixedFormat, FixedFormat] = (INT8, INT8),
    output: FixedFormat = INT8, points: tuple[int, int, int] = (0, 0, 0),
    clamp: list[int] | None = None,
) -> Case:  # fmt: skip
    constants: dict[str, Any] = {}
    attributes = {
        "scheme": encode_scheme(adder, "scheme", constants),
        "output": format_to_json(output),
        "clamp": clamp,
        **dict(zip(("a_zero_point", "b_zero_point", "zero_point"), points, strict=True)),
    }
    operands = {"a": (a, formats[0]), "b": (b, formats[1])}
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    return made("add", attributes, operands, output, shape, constants)


def lookup(x: Any, table: Any, codes: FixedFormat = INT8, output: FixedFormat = INT8) -> Case:
    attributes = {"table": {"constant": "table"}, "output": format_to_json(output)}
    constants = {"table": np.asarray(table, np.int64)}
    return made("lookup", attributes, {"x": (x, codes)}, output, np.shape(x), constants)


def clamp(x: Any, low: int, high: int, codes: FixedFormat = INT8) -> Case:
    return made("clamp", {"lo": low, "hi": high}, {"x": (x, codes)}, codes, np.shape(x))


def mul(
    a: Any,
    b: Any,
    scheme: Any,
    form: FixedFormat = INT8,
    output: FixedFormat = INT8,
    points: tuple[int, int, int] = (0, 0, 0),
    clamp: list[int] | None = None,
) -> Case:
    constants: dict[str, Any] = {}
    names = ("a_zero_point", "b_zero_point", "zero_point")
    attributes = {
        "scheme": encode_scheme(scheme, "scheme", constants),
        **dict(zip(names, points, strict=True)),
        "output": format_to_json(output),
        "clamp": clamp,
        "axis": 1 if np.ndim(a) > 1 else 0,
    }
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    return made("mul", attributes, {"a": (a, form), "b": (b, form)}, output, shape, constants)


def concat(
    parts: list[Any],
    schemes: list[Any],
    points: tuple[int, ...],
    zero_point: int = 0,
    axis: int = 1,
    form: FixedFormat = INT8,
) -> Case:
    attributes = {
        "axis": axis,
        "schemes": [None if s is None else encode_scheme(s, "scheme", {}) for s in schemes],
        "zero_points": list(points),
        "zero_point": zero_point,
        "output": format_to_json(form),
    }
    operands = {f"x{i}": (part, form) for i, part in enumerate(parts)}
    shape = np.concatenate(parts, axis).shape
    return made("concat", attributes, operands, form, shape)
