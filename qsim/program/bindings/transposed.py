"""Binding of the transposed correlation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program import shapes
from qsim.program.attributes import Constants, resolve
from qsim.program.bindings.binding import (
    CODE,
    CODES,
    Attributes,
    Binding,
    Kernel,
    Operand,
    accumulated,
    dims,
    pairs,
    per_sample,
    writable_copy,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat


def output_shape(
    x: tuple[int, ...], weight: tuple[int, ...], attributes: Attributes
) -> tuple[int, ...]:
    """Return [N, O, *out] of x [N, C, *spatial] and weight [C, O/groups, *kernel]."""
    spatial, groups = len(x) - 2, attributes["groups"]
    if spatial not in (1, 2, 3) or len(weight) != len(x):
        raise ModelError.of("x and weight must be of rank 3 to 5", (x, weight), "[N, C, *spatial]")
    if x[1] != weight[0] or weight[0] % groups:
        raise ModelError.of(
            "channels must be weight.shape[0], and groups divide them",
            (x, weight, groups),
            "x [N, C, *spatial], weight [C, O/groups, *kernel]",
        )
    stride = shapes.per_dimension(attributes["stride"], spatial, "stride")
    dilation = shapes.per_dimension(attributes["dilation"], spatial, "dilation")
    crop = shapes.pads(attributes["padding"], spatial)
    added = _added(attributes["output_padding"], spatial)
    zipped = zip(x[2:], weight[2:], stride, dilation, crop, added, strict=True)
    out = tuple((n - 1) * s + d * (k - 1) + 1 - sum(p) + sum(a) for n, k, s, d, p, a in zipped)
    if min(out) < 1:
        raise ModelError.of("padding must leave an output element per dimension", out, "1 or more")
    return (x[0], weight[1] * groups, *out)


def _added(value: object, spatial: int) -> tuple[tuple[int, int], ...]:
    """Return what is added (before, after) per dimension; a bare size is added after."""
    ends = shapes.pads(value, spatial)
    paired = isinstance(value, list) and any(isinstance(item, list) for item in value)
    return ends if paired else tuple((0, after) for _, after in ends)


def _infer(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    x, weight = operands
    return output_shape(x.shape, weight.shape, attributes), accumulated(attributes)


def _require(operands: Sequence[Operand], attributes: Attributes, constants: Constants) -> None:
    """Require codes of 32 bits, and one zero point or one per output."""
    from hw_models.products.geometry import check_codes, check_zero_points

    weight = check_codes("weight", operands[1].constant)
    points = resolve(attributes["weight_zero_point"], constants)
    check_zero_points("weight_zero_point", points, weight.shape[1] * attributes["groups"])


def _prepare(operands: Sequence[Operand], attributes: Attributes, constants: Constants) -> Kernel:
    from hw_models.transposed_correlation import transposed_correlation_plan

    plan = transposed_correlation_plan(
        writable_copy(operands[1]),
        stride=dims(attributes["stride"]),
        padding=pairs(attributes["padding"]),
        output_padding=pairs(attributes["output_padding"]),
        dilation=dims(attributes["dilation"]),
        groups=attributes["groups"],
        x_zero_point=attributes["x_zero_point"],
        weight_zero_point=resolve(attributes["weight_zero_point"], constants),
        accumulator=check.accumulator_from_json(attributes["accumulator"]),
    )
    return lambda arrays, ledger: plan(arrays[0], ledger=ledger)


def _macs(operands: Sequence[Operand], shape: tuple[int, ...]) -> int:
    """Return every product of an input with a tap, those that padding removes included."""
    del shape
    x, weight = (operand.shape for operand in operands)
    return per_sample(x) * math.prod(weight[1:])


TRANSPOSED: Final[Mapping[str, Binding]] = {
    "transposed_correlation": Binding(
        ("x", "weight"),
        {
            "stride": check.per_dimension(1),
            "padding": check.padding,
            "output_padding": check.padding,
            "dilation": check.per_dimension(1),
            "groups": check.integer(1, 1 << 16),
            "x_zero_point": CODE,
            "weight_zero_point": CODES,
            "accumulator": check.accumulator,
        },
        _infer,
        _prepare,
        constant=("weight",),
        require=_require,
        macs=_macs,
    ),
}
