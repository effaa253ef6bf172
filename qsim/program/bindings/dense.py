"""Bindings of dense layers that are not one sum of products in a register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.errors import ModelError
from qsim.program.bindings.binding import (
    Attributes,
    Binding,
    Kernel,
    Operand,
    per_sample,
    writable_copy,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat
    from qsim.program.attributes import Constants


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
    from hw_models.linear_pairs import SUM, X_CODES

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
    from hw_models.linear_pairs import WEIGHT_CODES

    del attributes, constants
    try:
        weight = require_integers(operands[1].constant, "weight")
        require_codes(weight, "weight", WEIGHT_CODES)
    except ContractError as error:
        raise ModelError(str(error)) from None


def _prepare_pairs(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.linear_pairs import linear_pairs

    del attributes, constants
    weight = writable_copy(operands[1])
    return lambda arrays, ledger: linear_pairs(arrays[0], weight, ledger)


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
}
