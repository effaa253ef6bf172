"""Functions of one value by integer arithmetic, where the target has that in place of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError
from qsim.patterns.curves.unary import check, why
from qsim.program import encode_scheme, format_to_json
from qsim.registry import Pattern, Reason, needs
from qsim.target import derive

if TYPE_CHECKING:
    from qsim.lowering import Builder


def _lower(builder: Builder) -> None:
    from hw_models import ContractError
    from hw_models.integer_function import (
        ExpSilu,
        IbertExp,
        IbertGelu,
        NewtonReciprocal,
        NewtonRsqrt,
    )

    match, target = builder.match, builder.target
    x, y = match.operands[0].params, match.result.params
    scales = x.scale, y.scale, x.zero_point, y.zero_point

    def rescale(real: float) -> Any:
        return derive.requantizer(target, real, 1.0, 1.0)

    makers: dict[str, Any] = {
        "exp": lambda: IbertExp.from_scales(*scales, top=x.format.max, rescale=rescale),
        "gelu": lambda: IbertGelu.from_scales(*scales, rescale=rescale),
        "silu": lambda: ExpSilu.from_scales(*scales, rescale=rescale),
        "reciprocal": lambda: NewtonReciprocal.from_scales(*scales),
        "rsqrt": lambda: NewtonRsqrt.from_scales(*scales),
    }
    try:
        unit = makers[nodes.operator_name(match.anchor)]()
    except ContractError as error:
        raise NotLowerableError(Reason("scheme", str(error))) from None
    prefix = f"{match.anchor.name}.unit"
    attributes = {
        "scheme": encode_scheme(unit, prefix, builder.constants),
        "output": format_to_json(y.format),
    }
    builder.call("integer_function", (match.operands[0].name,), builder.result(), attributes)


PATTERN: Final = Pattern(
    name="arithmetic",
    overloads=(
        "gelu.default",
        "silu.default",
        "exp.default",
        "reciprocal.default",
        "rsqrt.default",
    ),
    primitives=needs("integer_function"),
    lower=_lower,
    check=check,
    why=why,
    instead=True,
)
