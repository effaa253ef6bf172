"""Bindings of the primitives that fill accumulators."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program import shapes
from qsim.program.attributes import Constants, resolve
from qsim.program.bindings.binding import (
    AXIS,
    CODE,
    CODES,
    Attributes,
    Binding,
    Kernel,
    Operand,
    accumulated,
    check_axis,
    dims,
    pairs,
    per_sample,
    writable_copy,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat


def _infer_correlation(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    x, weight = operands
    return shapes.correlation(x.shape, weight.shape, attributes), accumulated(attributes)


def require_weight(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> None:
    """Require codes of 32 bits, and one zero point or one per output."""
    from hw_models.products.geometry import check_codes, check_zero_points

    weight = check_codes("weight", operands[1].constant)
    points = resolve(attributes["weight_zero_point"], constants)
    check_zero_points("weight_zero_point", points, weight.shape[0])


def _prepare_correlation(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.correlation import correlation_plan

    plan = correlation_plan(
        writable_copy(operands[1]),
        stride=dims(attributes["stride"]),
        padding=pairs(attributes["padding"]),
        dilation=dims(attributes["dilation"]),
        groups=attributes["groups"],
        x_zero_point=attributes["x_zero_point"],
        weight_zero_point=resolve(attributes["weight_zero_point"], constants),
        pad_value=attributes["pad_value"],
        accumulator=check.accumulator_from_json(attributes["accumulator"]),
    )
    return lambda arrays, ledger: plan(arrays[0], ledger=ledger)


def _macs_correlation(operands: Sequence[Operand], shape: tuple[int, ...]) -> int:
    weight = operands[1].shape
    return per_sample(shape) * math.prod(weight[1:])


def _infer_linear(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    x, weight = (operand.shape for operand in operands)
    if len(weight) != 2 or len(x) < 2 or x[-1] != weight[1]:
        raise ModelError.of("x must be [..., K] and weight [O, K]", (x, weight), "one K")
    return (*x[:-1], weight[0]), accumulated(attributes)


def _prepare_linear(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.linear import linear_plan

    plan = linear_plan(
        writable_copy(operands[1]),
        x_zero_point=attributes["x_zero_point"],
        weight_zero_point=resolve(attributes["weight_zero_point"], constants),
        accumulator=check.accumulator_from_json(attributes["accumulator"]),
    )
    return lambda arrays, ledger: plan(arrays[0], ledger=ledger)


def _infer_matmul(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    a, b = operands
    return shapes.matmul(a.shape, b.shape), accumulated(attributes)


def _prepare_matmul(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.matmul import matmul

    del operands
    accumulator = check.accumulator_from_json(attributes["accumulator"])
    zero_points: dict[str, Any] = {
        "a_zero_point": attributes["a_zero_point"],
        "b_zero_point": resolve(attributes["b_zero_point"], constants),
    }
    return lambda arrays, ledger: matmul(
        arrays[0], arrays[1], **zero_points, accumulator=accumulator, ledger=ledger
    )


def _macs_matmul(operands: Sequence[Operand], shape: tuple[int, ...]) -> int:
    return per_sample(shape) * operands[0].shape[-1]


def _infer_bias_add(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    acc, bias = operands
    if len(bias.shape) != 1:
        raise ModelError.of("bias must be 1-D", bias.shape, "one value per channel")
    check_axis(acc, attributes["axis"], bias.shape[0], "bias")
    return acc.shape, accumulated(attributes)


def _require_bias(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> None:
    """Require values of 64 bits, signed."""
    from hw_models.bias_add import require_bias

    del attributes, constants
    require_bias(operands[1].constant)


def _prepare_bias_add(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.bias_add import bias_add

    del constants
    bias = writable_copy(operands[1])
    accumulator = check.accumulator_from_json(attributes["accumulator"])
    axis = attributes["axis"]
    return lambda arrays, ledger: bias_add(
        arrays[0], bias, accumulator=accumulator, axis=axis, ledger=ledger
    )


SUMS: Final[Mapping[str, Binding]] = {
    "correlation": Binding(
        ("x", "weight"),
        {
            "stride": check.per_dimension(1),
            "padding": check.padding,
            "dilation": check.per_dimension(1),
            "groups": check.integer(1, 1 << 16),
            "x_zero_point": CODE,
            "weight_zero_point": CODES,
            "pad_value": check.optional(CODE),
            "accumulator": check.accumulator,
        },
        _infer_correlation,
        _prepare_correlation,
        constant=("weight",),
        require=require_weight,
        macs=_macs_correlation,
    ),
    "linear": Binding(
        ("x", "weight"),
        {"x_zero_point": CODE, "weight_zero_point": CODES, "accumulator": check.accumulator},
        _infer_linear,
        _prepare_linear,
        constant=("weight",),
        require=require_weight,
        macs=_macs_matmul,
    ),
    "matmul": Binding(
        ("a", "b"),
        {"a_zero_point": CODE, "b_zero_point": CODES, "accumulator": check.accumulator},
        _infer_matmul,
        _prepare_matmul,
        macs=_macs_matmul,
    ),
    "bias_add": Binding(
        ("acc", "bias"),
        {"axis": AXIS, "accumulator": check.accumulator},
        _infer_bias_add,
        _prepare_bias_add,
        constant=("bias",),
        require=_require_bias,
        overwrites=("acc",),
    ),
}
