"""What the norms share: integers of weight and bias, and the widths that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.graph import attribute, nodes
from qsim.lowering import NotLowerableError
from qsim.program import encode_scheme, format_to_json
from qsim.registry import Reason
from qsim.target import Units, derive

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder

_LIMIT: Final = 1 << 31
_UNITS: Final = Units(weight_bits=16, fraction=12, root_bits=16, rounding="half_up")


def known(*parameters: object) -> bool:
    """Return whether parameters are constants, or none."""
    return all(item is None or nodes.is_parameter(item) for item in parameters)


def why(node: Node) -> str:
    """Return why a norm is refused."""
    del node
    return "its weight or bias is computed at run time, or it is normalized over the batch"


def emit(
    builder: Builder,
    primitive: str,
    count: int,
    eps: float,
    parameters: tuple[Any, Any],
    attributes: dict[str, Any],
) -> None:
    """Emit one norm of rows of ``count`` codes; ``parameters``: nodes of weight and bias, or None.

    The weight has codes of one symmetric scale (a power of two where the target only shifts), the
    bias integers of that scale and of the fraction bits, which are as many as 32 bits hold.
    """
    from hw_models import ContractError
    from hw_models.integer.norms import epsilon_of
    from hw_models.norms.layer_norm import IntegerNorm

    match, target = builder.match, builder.target
    x, y = match.operands[0].params, match.result.params
    units = target.units or _UNITS
    weight, bias = (
        None if node is None else attribute(builder.graph, node).double().numpy()
        for node in parameters
    )
    scale = _scale(weight, units.weight_bits, shifts=target.weight.scheme == "power_of_two")
    codes = None if weight is None else np.rint(weight / scale).astype(np.int64)
    try:
        for fraction in range(units.fraction, -1, -1):
            addends = None if bias is None else np.rint(bias * 2.0**fraction / scale)
            rescale = derive.requantizer(target, scale, 2.0**-fraction, y.scale)
            epsilon = epsilon_of(eps, count, x.scale)
            norm = IntegerNorm(rescale, epsilon, fraction, units.root_bits)
            if norm.largest(count) * _most(codes, 1) + _most(addends, 0) < _LIMIT:
                break
        else:
            raise NotLowerableError(Reason("scheme", "its sums do not fit 32 bits"))
    except ContractError as error:
        raise NotLowerableError(Reason("scheme", str(error))) from None
    given: dict[str, Any] = {"weight": _stored(builder, "weight", codes)}
    if primitive != "rms_norm":
        given["bias"] = _stored(builder, "bias", addends)
    ends = {"zero_point": y.zero_point, "output": format_to_json(y.format), "clamp": None}
    scheme = encode_scheme(norm, f"{match.anchor.name}.norm", builder.constants)
    builder.call(
        primitive,
        (match.operands[0].name,),
        builder.result(),
        {"scheme": scheme, **given, **attributes, **ends},
    )


def _most(values: Any, default: int) -> int:
    return default if values is None else int(np.abs(values).max(initial=0))


def _scale(weight: Any, bits: int, *, shifts: bool) -> float:
    """Return the real step of weight codes; without weights that of a weight of 1."""
    largest = float(np.abs(weight).max(initial=0)) if weight is not None else 0.0
    if weight is None or largest == 0:
        return 1.0
    step = largest / ((1 << (bits - 1)) - 1)
    return float(2.0 ** np.ceil(np.log2(step))) if shifts else step


def _stored(builder: Builder, role: str, values: Any) -> Any:
    if values is None:
        return None
    return {"constant": builder.constant(role, values.astype(np.int32))}
