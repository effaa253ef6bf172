"""Bindings of the primitives that make codes: rescaling, addition, activation, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program.bindings.binding import (
    AXIS,
    CODE,
    Attributes,
    Binding,
    Kernel,
    Operand,
    call_arguments,
    check_axis,
)
from qsim.program.schemes import REQUANTIZERS, decode_scheme, scheme_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat
    from qsim.program.attributes import Constants


def _infer_requantize(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    (acc,) = operands
    per_channel = any(isinstance(value, dict) for value in attributes["scheme"].values())
    if per_channel:
        check_axis(acc, attributes["axis"], 0, "scheme")
    return acc.shape, check.format_from_json(attributes["output"])


def _prepare_requantize(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.requantize import requantize_plan

    scheme = decode_scheme(attributes["scheme"], constants)
    axis = attributes["axis"]
    if scheme.channels:
        check_axis(operands[0], axis, scheme.channels, "scheme")
    plan = requantize_plan(
        scheme, **call_arguments(attributes, "zero_point", "input_zero_point", "axis")
    )
    return lambda arrays, ledger: plan(arrays[0], ledger)


def _infer_clamp(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    (x,) = operands
    lo, hi = attributes["lo"], attributes["hi"]
    if lo > hi or not x.codes.fits(lo) or not x.codes.fits(hi):
        raise ModelError.of(
            "lo and hi must be codes with lo <= hi", (lo, hi), f"{x.codes.min}..{x.codes.max}"
        )
    return x.shape, x.codes


def _prepare_clamp(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.activation import clamp

    del operands, constants
    lo, hi = attributes["lo"], attributes["hi"]
    return lambda arrays, ledger: clamp(arrays[0], lo, hi, ledger=ledger)


def _infer_lookup(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    (x,) = operands
    if x.codes.bits > 16:
        raise ModelError.of("a table needs codes of few bits", f"{x.codes.bits} bits", "1..16 bits")
    return x.shape, check.format_from_json(attributes["output"])


def _prepare_lookup(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.lookup import lookup

    table = check.resolve(attributes["table"], constants)
    codes, output = operands[0].codes, check.format_from_json(attributes["output"])
    return lambda arrays, ledger: lookup(arrays[0], table, codes, output, ledger)


CODE_MAKERS: Final[Mapping[str, Binding]] = {
    "requantize": Binding(
        ("acc",),
        {
            "scheme": scheme_of(*REQUANTIZERS),
            "zero_point": CODE,
            "input_zero_point": CODE,
            "output": check.output_format,
            "clamp": check.optional(check.limits),
            "axis": AXIS,
        },
        _infer_requantize,
        _prepare_requantize,
        require=_prepare_requantize,
        overwrites=("acc",),
    ),
    "clamp": Binding(
        ("x",), {"lo": CODE, "hi": CODE}, _infer_clamp, _prepare_clamp, overwrites=("x",)
    ),
    "lookup": Binding(
        ("x",),
        {"table": check.table, "output": check.output_format},
        _infer_lookup,
        _prepare_lookup,
        overwrites=("x",),
    ),
}
