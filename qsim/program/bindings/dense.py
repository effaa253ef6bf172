"""Bindings of dense layers that are not one sum of products in a register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program.bindings.binding import (
    Attributes,
    Binding,
    Kernel,
    Operand,
    per_sample,
    writable_copy,
)
from qsim.program.bindings.dynamic import holds, require_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat, Format, Ledger
    from qsim.program.attributes import Array, Constants


def _outputs(x: Operand, weight: Operand) -> tuple[int, ...]:
    """Return the shape [..., O] of rows [..., K] times a weight [O, K]."""
    if len(weight.shape) != 2 or len(x.shape) < 2 or x.shape[-1] != weight.shape[1]:
        shapes = x.shape, weight.shape
        raise ModelError.of("x must be [..., K] and weight [O, K]", shapes, "one K")
    return (*x.shape[:-1], weight.shape[0])


def _macs(operands: Sequence[Operand], shape: tuple[int, ...]) -> int:
    return per_sample(shape) * operands[0].shape[-1]


def _infer_pairs(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    from hw_models.dynamic.linear_pairs import SUM, X_CODES

    del attributes
    x, weight = operands
    shape = _outputs(x, weight)
    if not X_CODES.min <= x.codes.min <= x.codes.max <= X_CODES.max:
        raise ModelError.of("x must hold 8 bits without a sign", x.codes, "codes of 0..255")
    return shape, SUM.format


def _require_bytes(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> None:
    """Require weights of 8 bits."""
    from hw_models import ContractError
    from hw_models._pointwise import require_codes, require_integers
    from hw_models.dynamic.linear_pairs import WEIGHT_CODES

    del attributes, constants
    try:
        weight = require_integers(operands[1].constant, "weight")
        require_codes(weight, "weight", WEIGHT_CODES)
    except ContractError as error:
        raise ModelError(str(error)) from None


def _prepare_pairs(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.dynamic.linear_pairs import linear_pairs

    del attributes, constants
    weight = writable_copy(operands[1])
    return lambda arrays, ledger: linear_pairs(arrays[0], weight, ledger)


def _infer_groups(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    del attributes
    x, weight, *parameters = operands
    shape = _outputs(x, weight)
    require_parameters(x, parameters)
    if x.codes.bits > 8:
        raise ModelError.of("x must hold codes of 8 bits or fewer", x.codes, "1..8 bits")
    return shape, parameters[0].format


def _prepare_groups(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    import numpy as np

    from hw_models import ContractError
    from hw_models.dynamic.linear_groups import linear_groups

    weight = writable_copy(operands[1])
    names = ("weight_scale", "weight_zero_point", "bias")
    tables: Any = {name: check.resolve(attributes[name], constants) for name in names}
    order, fused = attributes["order"], attributes["fused"]

    def run(arrays: Sequence[Array], ledger: Ledger | None) -> Array:
        x, _, scale, zero = arrays
        return linear_groups(
            x, weight, scale, zero, **tables, order=order, fused=fused, ledger=ledger
        )

    nothing = np.zeros((0, weight.shape[1]), np.int8)
    try:  # what the contract says of the constants
        run([nothing, weight, np.ones(1, np.float32), np.zeros(1, np.int8)], None)
    except ContractError as error:
        raise ModelError(str(error)) from None
    return run


def _table(kinds: str, accepted: str) -> check.Check:
    def inspect(value: Any, constants: Constants) -> None:
        array = check.constant(value, constants)
        if not holds(array, kinds):
            raise ModelError.of("must be a constant", f"{array.dtype} {array.shape}", accepted)

    return inspect


DENSE: Final[Mapping[str, Binding]] = {
    "linear_pairs": Binding(
        ("x", "weight"),
        {},
        _infer_pairs,
        _prepare_pairs,
        constant=("weight",),
        macs=_macs,
        require=_require_bytes,
    ),
    "linear_groups": Binding(
        ("x", "weight", "x_scale", "x_zero_point"),
        {
            "weight_scale": _table("f", "finite float32 [O, groups]"),
            "weight_zero_point": check.optional(_table("iu", "codes [O, groups]")),
            "bias": check.optional(_table("f", "finite float32, one per output")),
            "order": check.one_of("row", "group"),
            "fused": check.boolean,
        },
        _infer_groups,
        _prepare_groups,
        constant=("weight",),
        macs=_macs,
        require=_prepare_groups,
        floats=("x_scale",),
    ),
}
