"""What products with constant weights share: codes of weight and bias, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.graph import attribute
from qsim.lowering.clamps import clamp_codes
from qsim.lowering.requantization import emit_requantize, warn_of_factors
from qsim.lowering.schemes import check_bias, check_weight
from qsim.lowering.view import Constant, NotLowerableError, constant
from qsim.program import accumulator_to_json
from qsim.target import derive

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch.fx import Node

    from qsim.lowering.builder import Builder


def checked_weight(builder: Builder, weight: Constant, *, axis: int | None) -> Constant:
    """Return the weight if the target's datapath can hold it; ``axis`` counts its outputs."""
    check_weight("its weight", weight, builder.target.weight)
    if weight.axis is not None and weight.axis != axis:
        wanted = "none of which counts its outputs" if axis is None else f"not {axis}"
        raise NotLowerableError(f"its weight is quantized along axis {weight.axis}, {wanted}")
    return weight


def weight_zero_points(builder: Builder, weight: Constant) -> Any:
    """Return the weight's zero point as an attribute: an integer, or a constant per channel."""
    points = np.asarray(weight.zero_point)
    if (points == points.flat[0]).all():
        return int(points.flat[0])
    return {"constant": builder.constant("weight_zero_point", points.astype(np.int32))}


def finish(
    builder: Builder, acc: str, weight: Constant, bias: object, *, axis: int, operator: str = ""
) -> None:
    """Emit what follows the products: bias_add where there is a bias, then requantize.

    ``operator`` names the section of the target that says how, as ``derive.requantizer`` takes it.
    """
    target, match = builder.target, builder.match
    if bias is not None:
        from torch.fx import Node

        if not isinstance(bias, Node):
            raise NotLowerableError("its bias is not a tensor of the graph")
        codes = bias_codes(builder, bias, weight.scale)
        if np.abs(codes).max(initial=0) < 1 << 31:
            codes = codes.astype(np.int32)
        accumulator = target.sum.accumulator
        spec = builder.intermediate("bias_add", match.result.shape, accumulator.format)
        acc = builder.call(
            "bias_add",
            (acc, builder.constant("bias", codes)),
            spec,
            {"axis": axis, "accumulator": accumulator_to_json(accumulator)},
        )
    x, y = match.operands[0].params, match.result.params
    factors = np.asarray(weight.scale, np.float64) * x.scale / y.scale
    warn_of_factors(builder, factors, target.sum.accumulator.max, operator)
    requantizer = derive.requantizer(target, x.scale, weight.scale, y.scale, operator)
    emit_requantize(builder, acc, requantizer, clamp=clamp_codes(builder), axis=axis)


def bias_codes(
    builder: Builder, node: Node, weight_scale: float | npt.NDArray[np.float64]
) -> npt.NDArray[np.signedinteger]:
    """Return the bias in accumulator codes, one per output channel.

    A bias at the accumulator's scale is taken as it is; one at its own power-of-two scale is
    shifted left; a float bias is rounded half to even.

    Raises:
        SchemeError: the codes do not fit the target's bias.
    """
    unit = np.float64(builder.match.operands[0].params.scale) * np.asarray(weight_scale, np.float64)
    if node.op == "get_attr":
        real = attribute(builder.graph, node).double().numpy()
        rounded = np.rint(real / unit)
        check_bias("its bias", rounded, builder.target.bias)
        return rounded.astype(np.int64)
    bias = constant(builder.graph, node)
    codes = bias.codes.astype(np.int64) - np.asarray(bias.zero_point, np.int64)
    sums = _in_sums(codes, np.asarray(bias.scale, np.float64) / unit)
    section = builder.target.bias
    # The register holds codes of the bias's own scale where the datapath shifts them.
    check_bias("its bias", codes if section.own_scale else sums, section)
    return sums


def _in_sums(
    codes: npt.NDArray[np.int64], ratio: npt.NDArray[np.float64]
) -> npt.NDArray[np.signedinteger]:
    """Return codes of a bias at the accumulator's scale, ``ratio`` times finer than their own."""
    # A derived bias scale is the product rounded to fp32 by PT2E, hence not to the last bit.
    if (np.abs(ratio - 1) < 2.0**-20).all():
        return codes
    mantissa, exponent = np.frexp(ratio)
    shift = (exponent - 1).astype(np.int64)
    if (mantissa == 0.5).all() and (shift >= 0).all() and (shift < 32).all():
        return codes << np.broadcast_to(shift, codes.shape)
    return np.rint(codes * ratio).astype(np.int64)
