"""Bindings of what a datapath computes in float32 around its integers, parameters included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program.bindings.binding import CODE, Attributes, Binding, Kernel, Operand
from qsim.target import Formula

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat, Format, Ledger
    from hw_models.dynamic.choose_qparams import QParamsRule
    from qsim.program.attributes import Array, Constants


def require_float(operand: Operand, name: str) -> None:
    """Refuse an operand of codes where float32 values are read.

    Raises:
        ModelError: naming the operand.
    """
    if operand.format.dtype.kind != "f":
        raise ModelError.of(
            f"{name} must hold float32 values", str(operand.format), "a tensor of float32"
        )


def _infer_min_max(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    (x,) = operands
    require_float(x, "x")
    axes, rank = attributes["axes"], len(x.shape)
    places = {axis % rank for axis in axes if -rank <= axis < rank}
    if not axes or len(places) != len(axes):
        raise ModelError.of(
            "axes must be different dimensions of the operand", axes, f"{-rank}..{rank - 1}"
        )
    kept = [1 if axis in places else size for axis, size in enumerate(x.shape)]
    return (*kept, 2), x.format


def _prepare_min_max(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.dynamic.min_max import min_max

    del operands, constants
    axes = list(attributes["axes"])

    def run(arrays: Sequence[Array], ledger: Ledger | None) -> Array:
        x = arrays[0]
        if x.size:
            return min_max(x, axes, ledger)
        import numpy as np

        # Of an empty batch there is no range, and nothing comes of it: zeros, as ATen takes.
        places = {axis % x.ndim for axis in axes}
        kept = [1 if axis in places else size for axis, size in enumerate(x.shape)]
        if ledger is not None:
            ledger.fill(0, (0.0, 0.0), "min_max", "an empty batch")
        return np.zeros((*kept, 2), np.float32)

    return run


def _rule(attributes: Attributes) -> QParamsRule:
    from hw_models import ContractError
    from hw_models.dynamic.choose_qparams import QParamsRule

    try:
        return QParamsRule(**attributes)
    except ContractError as error:
        raise ModelError(str(error)) from None


def _row(operands: Sequence[Operand]) -> tuple[int, ...]:
    (ranges,) = operands
    require_float(ranges, "ranges")
    if ranges.shape[-1:] != (2,):
        raise ModelError.of(
            "ranges must hold the least and the greatest", ranges.shape, "[..., 2], of min_max"
        )
    return ranges.shape[:-1]


def _infer_scale(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    _rule(attributes)
    return _row(operands), operands[0].format


def _infer_zero_point(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    from hw_models import FixedFormat

    rule = _rule(attributes)
    bits = max(rule.high.bit_length() + (rule.low < 0), (-1 - rule.low).bit_length() + 1)
    return _row(operands), FixedFormat(8 if bits <= 8 else 16, signed=rule.low < 0)


def _prepare_scale(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.dynamic.choose_qparams import choose

    del operands, constants
    rule = _rule(attributes)
    return lambda arrays, ledger: choose(arrays[0], rule, ledger)[0]


def _prepare_zero_point(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.dynamic.choose_qparams import choose

    kind = _infer_zero_point(operands, attributes)[1].dtype
    del constants
    rule = _rule(attributes)

    def run(arrays: Sequence[Array], ledger: Ledger | None) -> Array:
        zeros = choose(arrays[0], rule)[1].astype(kind)
        if ledger is not None:
            ends = (int(zeros.min()), int(zeros.max())) if zeros.size else (0, 0)
            ledger.fill(zeros.size, ends, f"choose-{rule.formula}", "float32, step by step")
        return zeros

    return run


def require_parameters(x: Operand, operands: Sequence[Operand]) -> None:
    """Refuse scales and zero points that are not one for all, or one for each row of x."""
    scale, zero_point = operands
    require_float(scale, "scale")
    if scale.shape != zero_point.shape:
        raise ModelError.of(
            "scale and zero_point must have one shape", (scale.shape, zero_point.shape), "equal"
        )
    count = len(scale.shape)
    while count and scale.shape[count - 1] == 1:
        count -= 1
    rows = len(scale.shape) == len(x.shape) and scale.shape[:count] == x.shape[:count]
    if scale.shape and (not rows or count == len(x.shape)):
        raise ModelError.of(
            "scale must be a scalar or have one value per row",
            scale.shape,
            f"{x.shape} with length 1 in its last dimensions",
        )


def _infer_quantize(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    if attributes.get("non_finite") == "propagate" and attributes["formula"] != "onnx":
        raise ModelError.of(
            "non_finite='propagate' is defined for one formula", attributes["formula"], "onnx"
        )
    x, *parameters = operands
    require_float(x, "x")
    require_parameters(x, parameters)
    return x.shape, check.format_from_json(attributes["output"])


def _prepare_quantize(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    import numpy as np

    from hw_models.quantize import quantize

    del operands, constants
    output, formula = check.format_from_json(attributes["output"]), attributes["formula"]
    non_finite = attributes.get("non_finite", "refuse")

    def run(arrays: Sequence[Array], ledger: Ledger | None) -> Array:
        x, scale, zero_point = arrays
        if not x.size:  # an empty batch has no rows, and so no parameters of rows
            scale, zero_point = np.array(1, np.float32), np.array(0)
        return quantize(x, scale, zero_point, output, formula, non_finite=non_finite, ledger=ledger)

    return run


def _infer_dequantize(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    del attributes
    x, *parameters = operands
    require_parameters(x, parameters)
    return x.shape, parameters[0].format


def _prepare_dequantize(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.dequantize import dequantize

    del operands, constants
    formula = attributes["formula"]
    return lambda arrays, ledger: dequantize(
        arrays[0], arrays[1], arrays[2], formula=formula, ledger=ledger
    )


def _infer_sums(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    del attributes
    acc, *parameters = operands
    require_parameters(acc, parameters)
    return acc.shape, parameters[0].format


def _prepare_sums(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.dynamic.dequantize_sums import dequantize_sums

    names = ("weight_scale", "weight_sum", "bias")
    tables = {name: check.resolve(attributes[name], constants) for name in names}
    outputs = operands[0].shape[-1]
    for name, table in tables.items():
        if table is not None and len(table) not in (1, outputs):
            raise ModelError.of(
                f"{name} must have one value per output", table.shape, f"[{outputs}] or [1]"
            )
    fused, order = attributes["fused"], attributes.get("order", "product")
    if fused and order == "row_first":
        raise ModelError.of("fused must be false in the order 'row_first'", fused, "false")
    return lambda arrays, ledger: dequantize_sums(
        *arrays, **tables, fused=fused, order=order, ledger=ledger
    )


def _constant(kinds: str, accepted: str) -> check.Check:
    def inspect(value: Any, constants: Constants) -> None:
        array = check.constant(value, constants)
        if array.ndim != 1 or array.size == 0 or not holds(array, kinds):
            shown = f"{array.dtype} {array.shape}"
            raise ModelError.of("must be a 1-D constant", shown, accepted)

    return inspect


def holds(array: Array, kinds: str) -> bool:
    """Return whether a table is of one of the kinds; of floats, finite float32 alone."""
    import numpy as np

    if array.dtype.kind != "f":
        return array.dtype.kind in kinds
    return kinds == "f" and array.dtype.itemsize == 4 and bool(np.isfinite(array).all())


def _number(value: Any, constants: Constants) -> None:
    del constants
    if not isinstance(value, float):
        raise ModelError.of("must be a number", value, "a float32 above 0")


_NON_FINITE: Final = check.one_of("refuse", "propagate")
_RULE: Final = {
    "formula": check.one_of(
        "torch", "fbgemm", "executorch", "onnx", "power-of-two", "torch-per-token", "no-clipping"
    ),
    "low": CODE,
    "high": CODE,
    "symmetric": check.boolean,
    "eps": _number,
    "non_finite": _NON_FINITE,
}

_FORMULA: Final = check.one_of(*get_args(Formula))
_FLOATS: Final = _constant("f", "finite float32, one per output")

DYNAMIC: Final[Mapping[str, Binding]] = {
    "min_max": Binding(
        ("x",),
        {"axes": check.integers(-check.MAX_RANK, check.MAX_RANK)},
        _infer_min_max,
        _prepare_min_max,
        floats=("x",),
    ),
    "choose_scale": Binding(
        ("ranges",),
        _RULE,
        _infer_scale,
        _prepare_scale,
        optional=("non_finite",),
        floats=("ranges",),
    ),
    "choose_zero_point": Binding(
        ("ranges",),
        _RULE,
        _infer_zero_point,
        _prepare_zero_point,
        optional=("non_finite",),
        floats=("ranges",),
    ),
    "quantize": Binding(
        ("x", "scale", "zero_point"),
        {"formula": _FORMULA, "output": check.output_format, "non_finite": _NON_FINITE},
        _infer_quantize,
        _prepare_quantize,
        optional=("non_finite",),
        floats=("x", "scale"),
    ),
    "dequantize": Binding(
        ("x", "scale", "zero_point"),
        {"formula": _FORMULA},
        _infer_dequantize,
        _prepare_dequantize,
        floats=("scale",),
    ),
    "dequantize_sums": Binding(
        ("acc", "x_scale", "x_zero_point"),
        {
            "weight_scale": _FLOATS,
            "weight_sum": _constant("iu", "integers, one per output"),
            "bias": check.optional(_FLOATS),
            "fused": check.boolean,
            "order": check.one_of("product", "row_first"),
        },
        _infer_sums,
        _prepare_sums,
        optional=("order",),
        require=_prepare_sums,
        floats=("x_scale",),
    ),
}
