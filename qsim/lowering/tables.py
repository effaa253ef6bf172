"""Functions of one code: the table that a target's tool chain makes of one.

TFLite's datapaths have integer units where its reference kernels do (hard swish and leaky relu of
8 bits, sigmoid and tanh of 16); every other table is computed with floats, rounded as the target's
system rounds. Which one is exact is said in ``hw_models.tables``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

import numpy as np

from qsim.graph.nodes import operator_name
from qsim.lowering import composition
from qsim.lowering.clamps import clamp_codes
from qsim.lowering.view import NotLowerableError
from qsim.program import format_to_json
from qsim.registry import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from hw_models.tables import TableArithmetic, TableUnit
    from qsim.lowering.builder import Builder
    from qsim.lowering.view import QParams
    from qsim.program import Array
    from qsim.target import Target

# Named functions are computed as C++ kernels do, step by step in float32.
_NAMED: Final = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "silu": "silu",
    "exp": "exp",
    "log": "log",
    "rsqrt": "rsqrt",
}
_INTERVALS: Final = 512  # as TFLite's tables of 16-bit codes


def lower_table(builder: Builder) -> None:
    """Emit a lookup, or an interpolated lookup where codes have more than 8 bits."""
    from hw_models import ContractError

    match, target = builder.match, builder.target
    bits = match.operands[0].params.format.bits
    try:
        unit = None if len(match.readers) > 1 else _unit(builder, operator_name(match.anchor))
        if unit is not None and target.has("lookup"):
            _lookup(builder, _unit_entries(builder, unit))
        elif composition.table_primitive(match.readers, target) == "interpolate":
            _interpolate(builder)
        elif bits <= 8 or target.has("lookup"):
            _lookup(builder, _entries(builder))
        else:
            raise NotLowerableError(Reason.lacking(target.name, "interpolate"))
    except ContractError as error:
        raise NotLowerableError(_undefined(builder) or Reason("scheme", str(error))) from None


def arithmetic(target: Target) -> TableArithmetic:
    """Return how the target's tool chain computes an entry with floats."""
    from hw_models import tables

    if target.requantize.scheme == "fixed_point":
        return tables.TFLITE
    match target.quantize.formula:
        case "onnx":
            return tables.ONNX
        case "torch" | "executorch" | "tflite" | "fbgemm" | "torch-per-token" | "torch-per-group":
            return tables.TORCH
        case _:
            assert_never(target.quantize.formula)


def function(builder: Builder) -> str | Callable[[float], float]:
    """Return the function of a match: by name, or by asking torch for one value."""
    members = builder.match.readers
    node = builder.match.anchor
    name = operator_name(node)
    if len(members) == 1:
        if name in _NAMED:
            return _NAMED[name]
        if name == "gelu":
            return "gelu_tanh" if node.kwargs.get("approximate") == "tanh" else "gelu"
    return composition.function(builder.graph, members)


def _undefined(builder: Builder) -> Reason | None:
    """Return where the function of a match has no value; None where it has one for every code."""
    from hw_models.tables import require_function

    x = builder.match.operands[0].params
    compute = require_function(function(builder))
    codes = range(x.format.min, x.format.max + 1)
    with np.errstate(all="ignore"):
        gaps = [code for code in codes if np.isnan(compute(_real(x, code)))]
    if not gaps:
        return None
    layer = ", then ".join(map(operator_name, builder.match.readers))
    text = (
        f"{layer} has no value at {_real(x, gaps[0]):.4g}, which a code of its operand stands for "
        f"({len(gaps)} of {len(codes)} codes have none); torch.nan_to_num right behind it gives "
        "them one"
    )
    return Reason("values", text)


def _real(x: QParams, code: int) -> np.float32:
    return np.float32(np.float32(x.scale) * np.float32(code - x.zero_point))


def _unit(builder: Builder, name: str) -> TableUnit | None:
    """Return the integer unit that TFLite's reference kernels have for an operator."""
    from hw_models import tables

    match, r = builder.match, builder.target.requantize
    x, y = match.operands[0].params, match.result.params
    points = x.zero_point, y.zero_point
    if r.scheme != "fixed_point" or r.multiplier_bits != 32 or r.rounding.startswith("tosa"):
        return None
    if name == "hardswish" and x.format.bits <= 8:
        return tables.HardSwish.from_scales(x.scale, y.scale, *points)
    if name == "leaky_relu":
        slope = float(match.anchor.args[1]) if len(match.anchor.args) > 1 else 0.01  # type: ignore[arg-type]
        if slope >= 2.0**-31:
            # Other roundings are of layers: this unit is TFLite's reference kernel on them too.
            own = r.rounding if r.rounding == "single" else "double"
            return tables.LeakyRelu.from_scales(x.scale, y.scale, slope, *points, own)
    native = (x.format.bits, points, y.format.bits, y.scale) == (16, (0, 0), 16, 2.0**-15)
    if native and name in ("sigmoid", "tanh"):
        unit = tables.Sigmoid16 if name == "sigmoid" else tables.Tanh16
        return unit.from_scale(x.scale)
    return None


def _unit_entries(builder: Builder, unit: TableUnit) -> Array:
    from hw_models.tables import unit_table

    x, y = builder.match.operands[0].params, builder.match.result.params
    return unit_table(unit, x.format, y.format)


def _entries(builder: Builder) -> Array:
    from hw_models.tables import table

    x, y = builder.match.operands[0].params, builder.match.result.params
    return table(
        function(builder),
        x.scale,
        y.scale,
        x.zero_point,
        y.zero_point,
        x.format,
        y.format,
        arithmetic(builder.target),
    )


def _lookup(builder: Builder, entries: Array) -> None:
    source, result = builder.match.operands[0], builder.match.result
    clamp = clamp_codes(builder)
    if clamp is not None:
        entries = np.clip(entries, clamp[0], clamp[1])
    table = {"constant": builder.constant("table", entries)}
    attributes = {"table": table, "output": format_to_json(result.params.format)}
    builder.call("lookup", (source.name,), builder.result(), attributes)


def _interpolate(builder: Builder) -> None:
    from hw_models.interpolation import interpolation_table

    source, result = builder.match.operands[0], builder.match.result
    x, y = source.params, result.params
    if y.zero_point != 0 or builder.match.clamps:
        raise NotLowerableError(
            Reason("scheme", "an interpolated table has no output zero point and no clamp")
        )
    intervals = min(_INTERVALS, 1 << x.format.bits)
    entries = interpolation_table(
        function(builder),
        x.scale,
        y.scale,
        x.zero_point,
        steps=intervals,
        input=x.format,
        output=y.format,
    )
    attributes = {
        "table": {"constant": builder.constant("table", entries)},
        "intervals": intervals,
        "entries": format_to_json(y.format),
        "result": "rounded",
    }
    builder.call("interpolate", (source.name,), builder.result(), attributes)
