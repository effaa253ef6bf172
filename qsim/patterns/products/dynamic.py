"""Products with a constant matrix whose operand is quantized at run time, and back to float32.

The calls are those of a unit that has no zero point in its multipliers: it learns scale and zero
point when the operand is there, and takes the zero point's share off the sums.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models import FLOAT32, FixedFormat, QParamsRule
from qsim.graph import attribute
from qsim.lowering import NotLowerableError
from qsim.patterns.products.matrix import emit_linear, matrix
from qsim.program import accumulator_to_json, format_to_json
from qsim.target import shown

if TYPE_CHECKING:
    from qsim.lowering import Builder, Constant
    from qsim.lowering import Dynamic as Operand
    from qsim.registry import Weights
    from qsim.target import Dynamic


def lower_dynamic(builder: Builder, weights: Weights) -> None:
    """Emit a product with a constant matrix, of float32 values, into float32 values.

    Args:
        builder: takes the calls; its match has the operand.
        weights: matrix and bias; where ``axis`` is 1 the matrix is stored transposed.
    """
    section, operands = builder.target.dynamic, builder.match.dynamic
    if section is None or len(operands) != 1:
        raise NotLowerableError("its operand is not quantized at run time")
    (operand,) = operands
    weight = matrix(builder, weights, operand.values.shape)
    codes, scale, zero_point = _quantize(builder, section, operand)
    if np.ndim(weight.scale) == 2 or section.order == "row_last":
        _emit_groups(builder, weights, section, weight, (codes, scale, zero_point))
        return
    acc = emit_linear(builder, codes, weight, zero_point=0)
    bias = None if weights.bias is None else builder.constant("bias", _bias(builder, weights))
    sums = weight.codes.astype(np.int64) - np.asarray(weight.zero_point).reshape(-1, 1)
    attributes: dict[str, Any] = {
        "weight_scale": {"constant": builder.constant("weight_scale", _scales(weight))},
        "weight_sum": {"constant": builder.constant("weight_sum", sums.sum(axis=1))},
        "bias": None if bias is None else {"constant": bias},
        "fused": section.fused,
    }
    if section.order != "product":
        attributes["order"] = section.order
    builder.call("dequantize_sums", (acc, scale, zero_point), builder.match.spec, attributes)


def lower_products(builder: Builder) -> None:
    """Emit a product of two activations that are both quantized at run time.

    The sums of products of codes, their zero points taken off, become float32 values and are
    multiplied by the product of the scales: MatMulInteger, Cast and Mul.
    """
    section, operands = builder.target.dynamic, builder.match.dynamic
    floats = builder.target.floats
    if section is None or floats is None or floats.products != "dynamic" or len(operands) != 2:
        raise NotLowerableError("both operands are computed at run time")
    made, spec = builder.match.spec, builder.intermediate
    (a, a_scale, a_point), (b, b_scale, b_point) = (
        _quantize(builder, section, each) for each in operands
    )
    accumulator = builder.target.correlation.accumulator
    acc = builder.call(
        "dynamic_matmul",
        (a, b, a_point, b_point),
        spec("dynamic_matmul", made.shape, accumulator.format),
        {"accumulator": accumulator_to_json(accumulator)},
    )
    one = (1,) * len(made.shape)
    scale = builder.call("float_mul", (a_scale, b_scale), spec("float_mul", one, FLOAT32), {})
    zero = builder.constant("zero", np.zeros(one, np.int8))
    builder.call("dequantize", (acc, scale, zero), made, {"formula": "onnx"})


def _emit_groups(
    builder: Builder,
    weights: Weights,
    section: Dynamic,
    weight: Constant,
    operand: tuple[str, str, str],
) -> None:
    """Emit a product whose weights have a scale for every group of inputs."""
    if section.order == "row_first":
        raise NotLowerableError("weights in groups have no order 'row_first', as the target asks")
    outputs = weight.codes.shape[0]
    scales, points = (
        np.broadcast_to(np.asarray(each).reshape(outputs, -1) if np.ndim(each) else each, shape)
        for each in (weight.scale, weight.zero_point)
        for shape in [np.shape(weight.scale) if np.ndim(weight.scale) == 2 else (outputs, 1)]
    )
    codes, scale, zero_point = operand
    bias = None if weights.bias is None else builder.constant("bias", _bias(builder, weights))
    table = builder.constant("weight_scale", np.ascontiguousarray(scales, np.float32))
    zeros = None
    if points.any():
        held = np.ascontiguousarray(points, np.int32)
        zeros = {"constant": builder.constant("weight_zero_point", held)}
    builder.call(
        "linear_groups",
        (codes, builder.constant("weight", weight.codes), scale, zero_point),
        builder.match.spec,
        {
            "weight_scale": {"constant": table},
            "weight_zero_point": zeros,
            "bias": None if bias is None else {"constant": bias},
            "order": "row" if section.order == "row_last" else "group",
            "fused": section.fused,
        },
    )


def _quantize(builder: Builder, section: Dynamic, operand: Operand) -> tuple[str, str, str]:
    """Emit the choice of parameters and the codes; return codes, scale and zero point."""
    x, codes = operand.values, operand.codes
    rank = len(x.shape)
    axes = list(range(rank)) if operand.granularity == "tensor" else [rank - 1]
    rows = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    rule = QParamsRule(
        section.formula, codes.min, codes.max, section.symmetric, 2.0**section.eps_exponent
    )
    chosen = {
        "formula": rule.formula,
        "low": rule.low,
        "high": rule.high,
        "symmetric": rule.symmetric,
        "eps": rule.eps,
    }
    spec = builder.intermediate
    ends = builder.call("min_max", (x.name,), spec("min_max", (*rows, 2), FLOAT32), {"axes": axes})
    scale = builder.call("choose_scale", (ends,), spec("choose_scale", rows, FLOAT32), chosen)
    points = FixedFormat(8, signed=codes.signed)
    zero_point = builder.call(
        "choose_zero_point", (ends,), spec("choose_zero_point", rows, points), chosen
    )
    # FBGEMM's register keeps 8 bits: a range of fewer codes may be left by one.
    held = points if section.quantize == "fbgemm" else codes
    attributes = {"formula": section.quantize, "output": format_to_json(held)}
    inputs = (x.name, scale, zero_point)
    made = builder.call("quantize", inputs, spec("quantize", x.shape, held), attributes)
    return made, scale, zero_point


def _scales(weight: Constant) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.atleast_1d(np.asarray(weight.scale, np.float32))


def _bias(builder: Builder, weights: Weights) -> np.ndarray[Any, np.dtype[np.float32]]:
    node = weights.bias
    if node is None or node.op != "get_attr":
        raise NotLowerableError(f"its bias is no float constant, but {shown(node)}")
    values: np.ndarray[Any, np.dtype[np.float32]] = attribute(builder.graph, node).float().numpy()
    if not math.isfinite(float(np.abs(values).max(initial=0))):
        raise NotLowerableError("its bias holds a NaN or an infinity")
    return values
