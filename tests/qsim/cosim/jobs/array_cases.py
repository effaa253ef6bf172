"""Cases of the primitives that run on arrays, with random codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw_models import Accumulator, FixedFormat
from qsim.golden import Case
from qsim.program.bindings.binding import Operand
from qsim.program.primitives import PRIMITIVES
from qsim.target import Target
from tests.qsim.cosim.jobs import elementwise_cases as one

INT8, UINT8 = FixedFormat(8), FixedFormat(8, signed=False)
WRAP = {"bits": 32, "overflow": "wrap", "at": "sum", "order": "channel_last"}


def target(rows: int, columns: int = 1, name: str = "tflite", memory: int = 0) -> Target:
    """Return a shipped target with another array."""
    document = Target.load(name).to_dict()
    document["array"] = {"rows": rows, "columns": columns}
    document["memory"] = {"bytes": memory, "alignment": 1, "banks": 1}
    return Target.from_dict(document)


def codes(form: FixedFormat, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Return codes, a tenth of them at the ends of the format."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(form.min, form.max, shape, endpoint=True)
    ends = np.where(rng.random(shape) < 0.5, form.min, form.max)
    return np.where(rng.random(shape) < 0.1, ends, drawn).astype(form.dtype)


def case(
    primitive: str,
    operands: tuple[np.ndarray, ...],
    formats: tuple[FixedFormat, ...],
    attributes: dict[str, Any],
    constants: dict[str, np.ndarray] | None = None,
) -> Case:
    """Return a case whose expected result is hw_models'."""
    binding = PRIMITIVES[primitive]
    arrays = constants or {}
    known = [Operand(a.shape, f, a) for a, f in zip(operands, formats, strict=True)]
    _, output = binding.infer(known, attributes)
    result = binding.prepare(known, attributes, arrays)(list(operands), None)
    named = dict(zip(binding.operands, formats, strict=True))
    return Case(
        name=primitive,
        layer="layer",
        primitive=primitive,
        attributes=attributes,
        operands=dict(zip(binding.operands, operands, strict=True)),
        constants=arrays,
        formats={**named, "output": output},
        expected=np.ascontiguousarray(result).astype(output.dtype),
    )


def correlation(
    x: tuple[int, ...],
    weight: tuple[int, ...],
    formats: tuple[FixedFormat, FixedFormat] = (INT8, INT8),
    constants: dict[str, np.ndarray] | None = None,
    seed: int = 0,
    **changes: Any,
) -> Case:
    attributes = {
        "stride": 1,
        "padding": 0,
        "dilation": 1,
        "groups": 1,
        "x_zero_point": 0,
        "weight_zero_point": 0,
        "pad_value": None,
        "accumulator": WRAP,
    }
    operands = (codes(formats[0], x, seed), codes(formats[1], weight, seed + 1))
    return case("correlation", operands, formats, attributes | changes, constants)


def linear(x: tuple[int, ...], weight: tuple[int, ...], **changes: Any) -> Case:
    attributes = {"x_zero_point": -7, "weight_zero_point": 0, "accumulator": WRAP}
    operands = (codes(INT8, x), codes(INT8, weight, 1))
    return case("linear", operands, (INT8, INT8), attributes | changes)


def matmul(
    a: tuple[int, ...],
    b: tuple[int, ...],
    constants: dict[str, np.ndarray] | None = None,
    **changes: Any,
) -> Case:
    attributes = {"a_zero_point": -8, "b_zero_point": 17, "accumulator": WRAP}
    operands = (codes(INT8, a), codes(INT8, b, 1))
    return case("matmul", operands, (INT8, INT8), attributes | changes, constants)


def pool(primitive: str, x: tuple[int, ...], form: FixedFormat = INT8, **changes: Any) -> Case:
    attributes: dict[str, Any] = {"kernel": 2, "stride": None, "padding": 0, "ceil_mode": False}
    if primitive == "max_pool":
        attributes["dilation"] = 1
    else:
        attributes |= {"rounding": "half_away", "count_include_pad": False, "zero_point": 0}
    return case(primitive, (codes(form, x),), (form,), attributes | changes)


def layer(
    sums: Case,
    scheme: Any,
    bias: Accumulator | None = Accumulator(),  # noqa: B008 (a frozen value)
    **changes: Any,
) -> list[Case]:
    """Return the calls of one layer: sums, a bias per channel (unless None), and codes."""
    axis = 1 if sums.primitive == "correlation" else sums.expected.ndim - 1
    calls, form = [sums], sums.formats["output"]
    if bias is not None:
        drawn = codes(FixedFormat(14), (sums.expected.shape[axis],), 5)
        calls.append(one.bias_add(sums.expected, drawn, bias, form, FixedFormat(16), axis))
        form = bias.format
    options = {"zero_point": 3, "axis": axis} | changes
    return [*calls, one.requantize(calls[-1].expected, scheme, form, **options)]


def cache_write(
    shape: tuple[int, ...], positions: list[int], axis: int = -2, count: int = 0,
    ring: bool = False, form: FixedFormat = INT8,
) -> Case:  # fmt: skip
    """Return the write of rows at positions, one for each unless there are more rows."""
    rows = list(shape)
    rows[axis] = count or len(positions)
    operands = {
        "cache": (codes(form, shape), form),
        "rows": (codes(form, tuple(rows), 1), form),
        "positions": (np.array(positions), FixedFormat(64)),
    }
    return one.made("cache_write", {"axis": axis, "ring": ring}, operands, form, shape)
