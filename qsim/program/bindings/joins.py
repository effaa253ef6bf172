"""Bindings of the primitives that put codes together: concat and pad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program.bindings.binding import (
    AXIS,
    CODE,
    MAX_OPERANDS,
    Attributes,
    Binding,
    Kernel,
    Operand,
    container,
)
from qsim.program.schemes import REQUANTIZERS, decode_scheme, scheme_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat
    from qsim.program.attributes import Check, Constants

_MODES: Final = ("constant", "edge", "reflect", "symmetric")
_LONGEST: Final = 1 << 16


def _each(inner: Check) -> Check:
    """Accept a list with one entry per operand."""

    def inspect(value: Any, constants: Constants) -> None:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_OPERANDS:
            raise ModelError.of(
                "must be a list with one entry per operand", value, f"1..{MAX_OPERANDS}"
            )
        for item in value:
            inner(item, constants)

    return inspect


def _infer_concat(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    output = check.format_from_json(attributes["output"])
    for name in ("schemes", "zero_points"):
        given, count = attributes[name], len(operands)
        if len(given) != count:
            raise ModelError.of(
                f"{name} must have one entry per operand", given, f"{count} entries"
            )
    axis = _axis(operands[0].shape, attributes["axis"])
    first = operands[0].shape
    for x, scheme in zip(operands, attributes["schemes"], strict=True):
        if _without(x.shape, axis) != _without(first, axis) or len(x.shape) != len(first):
            raise ModelError.of("operands must have one shape but along axis", x.shape, str(first))
        if scheme is None and not (output.min <= x.codes.min and x.codes.max <= output.max):
            raise ModelError.of(
                "an operand must fit the output to be copied", str(x.codes), str(output)
            )
        if scheme is not None and any(isinstance(value, dict) for value in scheme.values()):
            raise ModelError.of("the schemes of a concat must be per tensor", scheme, "scalars")
    total = sum(x.shape[axis] for x in operands)
    return (*first[:axis], total, *first[axis + 1 :]), output


def _axis(shape: tuple[int, ...], axis: int) -> int:
    rank = len(shape)
    if not -rank <= axis < rank or shape[axis] == -1:
        raise ModelError.of(
            "axis must be a dimension of the operands, not the batch", axis, f"1..{rank - 1}"
        )
    return axis % rank


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def _prepare_concat(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.moves.concat import concat

    del operands
    schemes = [
        None if scheme is None else decode_scheme(scheme, constants)
        for scheme in attributes["schemes"]
    ]
    keywords: dict[str, Any] = {
        "axis": attributes["axis"],
        "requantizers": schemes,
        "zero_points": list(attributes["zero_points"]),
        "zero_point": attributes["zero_point"],
        "output": check.format_from_json(attributes["output"]),
    }
    return lambda arrays, ledger: concat(list(arrays), **keywords, ledger=ledger)


def _pads(value: Any, constants: Constants) -> None:
    """Accept [before, after] for each dimension."""
    size = check.integer(0, _LONGEST)
    if not isinstance(value, list) or len(value) > check.MAX_RANK:
        raise ModelError.of(
            "must be a list of [before, after]", value, f"at most {check.MAX_RANK} pairs"
        )
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ModelError.of("must be [before, after]", pair, "two sizes of 0 or more")
        for item in pair:
            size(item, constants)


def _infer_pad(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    (x,) = operands
    pads, mode = attributes["pads"], attributes["mode"]
    if len(pads) != len(x.shape):
        raise ModelError.of("pads must have one pair per dimension", pads, f"{len(x.shape)} pairs")
    if not x.codes.fits(attributes["value"]):
        accepted = f"{x.codes.min}..{x.codes.max}"
        raise ModelError.of("value must be a code of the operand", attributes["value"], accepted)
    for size, pair in zip(x.shape, pads, strict=True):
        if size == -1 and pair != [0, 0]:
            raise ModelError.of("pads must leave the batch alone", pair, "[0, 0]")
        most = {"reflect": size - 1, "symmetric": size}.get(mode, _LONGEST)
        if size != -1 and max(pair) > most:
            raise ModelError.of(
                f"pads of mode {mode} must not exceed the dimension", pair, f"0..{most}"
            )
    shape = tuple(n if n == -1 else n + p[0] + p[1] for n, p in zip(x.shape, pads, strict=True))
    return shape, x.codes


def _prepare_pad(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.moves.pad import pad

    del constants
    pads = [(before, after) for before, after in attributes["pads"]]
    value, mode, kind = attributes["value"], attributes["mode"], operands[0].codes.dtype
    return lambda arrays, ledger: pad(container(arrays[0], kind), pads, value, mode, ledger)


JOINS: Final[Mapping[str, Binding]] = {
    "concat": Binding(
        ("x",),
        {
            "axis": AXIS,
            "schemes": _each(check.optional(scheme_of(*REQUANTIZERS))),
            "zero_points": _each(CODE),
            "zero_point": CODE,
            "output": check.output_format,
        },
        _infer_concat,
        _prepare_concat,
        variadic=True,
    ),
    "pad": Binding(
        ("x",),
        {"pads": _pads, "value": CODE, "mode": check.one_of(*_MODES)},
        _infer_pad,
        _prepare_pad,
    ),
}
