"""Softmax along one dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError, QParams, emit_rescale
from qsim.patterns.curves.sigmoid import unit_interval
from qsim.program import TensorSpec, encode_scheme, format_to_json
from qsim.registry import Pattern, Reason, needs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.target import Target


def _check(node: Node) -> bool:
    return nodes.is_float(node) and nodes.argument(node, 2, "dtype") is None


def _why(node: Node) -> str:
    del node
    return "it also converts to another type (dtype=)"


def _lower(builder: Builder) -> None:
    emit(builder, "softmax", (builder.match.operands[0].name,), {})


def emit(
    builder: Builder, primitive: str, inputs: tuple[str, ...], further: Mapping[str, Any]
) -> None:
    """Write the call of a softmax, and the rescale behind it where its result has other codes."""
    from hw_models import ContractError

    match = builder.match
    source, result = match.operands[0], match.result
    rank = len(source.shape)
    axis = int(nodes.argument(match.anchor, 1, "dim")) % rank
    if source.shape[axis] == -1:
        raise NotLowerableError(Reason("batch", "it runs along the batch"))
    try:
        scheme, made = _scheme(builder.target, source.params, result.params)
    except ContractError as error:
        raise NotLowerableError(Reason("scheme", str(error))) from None
    attributes = {
        "scheme": encode_scheme(scheme, f"{match.anchor.name}.softmax", builder.constants),
        "axis": axis,
        "output": format_to_json(made.format),
        **further,
    }
    if made == result.params:
        builder.call(primitive, inputs, builder.result(), attributes)
        return
    name = f"{match.anchor.name}.softmax"
    spec = TensorSpec(name, result.shape, made.format, made.scale, made.zero_point)
    emit_rescale(builder, builder.call(primitive, inputs, spec, attributes), made)


def _scheme(target: Target, x: QParams, y: QParams) -> tuple[Any, QParams]:
    """Return what computes a row, and the parameters of what it makes.

    LiteRT's kernels without a delegate and XNNPACK have a float table; TFLite's reference kernels,
    TFLite-Micro and CMSIS-NN are integers: of 8 bits gemmlowp's functions, of 16 two tables. A
    target with units has I-BERT's.
    """
    from hw_models.softmax import FixedSoftmax, FloatSoftmax, IbertSoftmax, TableSoftmax

    if target.units is not None:
        made = QParams(2.0**-y.format.bits, y.format.min, y.format)
        return IbertSoftmax.from_scale(x.scale, 1.0, target.units.rounding), made
    if x.format.bits > 8:
        return TableSoftmax.from_scale(x.scale), QParams(2.0**-15, 0, y.format)
    floats = target.requantize.scheme == "float_scale"
    if floats or target.requantize.rounding == "double-half-up":
        return FloatSoftmax(x.scale, y.scale, y.zero_point), y
    made = QParams(2.0**-y.format.bits, y.format.min, y.format)
    return FixedSoftmax.from_scale(x.scale), made


PATTERN: Final = Pattern(
    name="softmax",
    overloads=("softmax.int", "_softmax.default"),
    primitives=needs("softmax"),
    lower=_lower,
    check=_check,
    why=_why,
    fixed=unit_interval,
)
