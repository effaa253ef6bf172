"""Bindings of element-wise arithmetic: subtraction, products, extremes, shifts, means, argmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program import shapes
from qsim.program.bindings.binding import (
    AXIS,
    CODE,
    Attributes,
    Binding,
    Kernel,
    Operand,
    call_arguments,
    check_axis,
    container,
    infer_pair,
)
from qsim.program.bindings.joins import JOINS
from qsim.program.schemes import ADDERS, AVERAGERS, REQUANTIZERS, decode_scheme, scheme_of
from qsim.target import DeterministicRounding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat
    from qsim.program.attributes import Constants


def _prepare_add(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.add import add

    del operands
    scheme = decode_scheme(attributes["scheme"], constants)
    given = call_arguments(attributes, "a_zero_point", "b_zero_point", "zero_point")
    return lambda arrays, ledger: add(arrays[0], arrays[1], scheme, **given, ledger=ledger)


def _prepare_sub(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.sub import sub

    del operands
    scheme = decode_scheme(attributes["scheme"], constants)
    names = ("a_zero_point", "b_zero_point", "zero_point", "negate")
    given = call_arguments(attributes, *names)
    return lambda arrays, ledger: sub(arrays[0], arrays[1], scheme, **given, ledger=ledger)


def _infer_mul(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    shape, output = infer_pair(operands, attributes)
    if any(isinstance(value, dict) for value in attributes["scheme"].values()):
        check_axis(Operand(shape, output), attributes["axis"], 0, "scheme")
    return shape, output


def _prepare_mul(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.mul import mul

    scheme = decode_scheme(attributes["scheme"], constants)
    if scheme.channels:
        product = Operand(*infer_pair(operands, attributes))
        check_axis(product, attributes["axis"], scheme.channels, "scheme")
    given = call_arguments(attributes, "a_zero_point", "b_zero_point", "zero_point", "axis")
    return lambda arrays, ledger: mul(arrays[0], arrays[1], scheme, **given, ledger=ledger)


def _infer_prelu(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    x, slopes = operands
    if shapes.broadcast(x.shape, slopes.shape) != x.shape:
        raise ModelError.of("slopes must broadcast to the operand", slopes.shape, f"{x.shape}")
    for side in ("positive", "negative"):
        if any(isinstance(value, dict) for value in attributes[side].values()):
            raise ModelError.of(
                f"the scheme {side} must be per tensor", attributes[side], "scalars"
            )
    return x.shape, check.format_from_json(attributes["output"])


def _prepare_prelu(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.prelu import prelu

    del operands
    sides = {side: decode_scheme(attributes[side], constants) for side in ("positive", "negative")}
    points = {name: attributes[name] for name in attributes if name.endswith("zero_point")}
    output = check.format_from_json(attributes["output"])
    return lambda arrays, ledger: prelu(
        arrays[0], arrays[1], **sides, **points, output=output, ledger=ledger
    )


def _infer_extremum(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    del attributes
    a, b = operands
    return shapes.broadcast(a.shape, b.shape), _common(a, b)


def _common(a: Operand, b: Operand) -> FixedFormat:
    """Return the one format of both operands; a constant is of any whose codes it holds."""
    for x, other in ((a, b), (b, a)):
        if other.constant is not None and x.constant is None and x.codes.fits(other.constant):
            return x.codes
    formats = [(x.codes.bits, x.codes.signed, x.codes.narrow) for x in (a, b)]
    if formats[0] != formats[1]:
        raise ModelError.of(
            "a and b must have one format", formats, "equal bits, signed and narrow"
        )
    return a.codes


def _extremum(name: str) -> Binding:
    def prepare(
        operands: Sequence[Operand], attributes: Attributes, constants: Constants
    ) -> Kernel:
        from hw_models import extremum

        del attributes, constants
        choose, kind = getattr(extremum, name), _common(*operands).dtype
        return lambda arrays, ledger: choose(
            container(arrays[0], kind), container(arrays[1], kind), ledger
        )

    return Binding(("a", "b"), {}, _infer_extremum, prepare, overwrites=("a", "b"))


def _prepare_shift(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.shift import shift_right

    del operands, constants
    rounding, output = attributes["rounding"], check.format_from_json(attributes["output"])
    return lambda arrays, ledger: shift_right(arrays[0], arrays[1], rounding, output, ledger)


def _reduced(shape: tuple[int, ...], axes: Sequence[int], *, keepdims: bool) -> tuple[int, ...]:
    """Return the shape after a reduction over axes; the batch is not reduced."""
    rank = len(shape)
    if not axes or not all(-rank <= axis < rank for axis in axes):
        raise ModelError.of(
            "axes must be dimensions of the operand", list(axes), f"{-rank}..{rank - 1}"
        )
    dims = {axis % rank for axis in axes}
    if len(dims) != len(axes):
        raise ModelError.of("axes must be different", list(axes), "each dimension once")
    if any(shape[axis] == -1 for axis in dims):
        raise ModelError.of("axes must leave the batch alone", list(axes), f"1..{rank - 1}")
    if keepdims:
        return tuple(1 if axis in dims else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in dims)


def _infer_mean(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    (x,) = operands
    if any(isinstance(value, dict) for value in attributes["scheme"].values()):
        raise ModelError.of(
            "the scheme of a mean must be per tensor", attributes["scheme"], "scalars"
        )
    shape = _reduced(x.shape, attributes["axes"], keepdims=attributes["keepdims"])
    return shape, check.format_from_json(attributes["output"])


def _prepare_mean(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.mean import mean

    del operands
    scheme, axes = decode_scheme(attributes["scheme"], constants), list(attributes["axes"])
    given = call_arguments(attributes, "x_zero_point", "zero_point", "keepdims")
    return lambda arrays, ledger: mean(arrays[0], axes, scheme, **given, ledger=ledger)


def _infer_argmax(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    (x,) = operands
    axis, output = attributes["axis"], check.format_from_json(attributes["output"])
    shape = _reduced(x.shape, [axis], keepdims=attributes["keepdims"])
    if output.max < x.shape[axis] - 1:
        raise ModelError.of(
            "output must hold the last position", str(output), f"{x.shape[axis] - 1}"
        )
    return shape, output


def _prepare_argmax(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.argmax import argmax

    del operands, constants
    axis, output = attributes["axis"], check.format_from_json(attributes["output"])
    given = {"keepdims": attributes["keepdims"], "last": attributes.get("last", False)}
    return lambda arrays, ledger: argmax(arrays[0], axis, **given, output=output, ledger=ledger)


_CODES: Final = {
    "zero_point": CODE,
    "output": check.output_format,
    "clamp": check.optional(check.limits),
}
_PAIR: Final = {"a_zero_point": CODE, "b_zero_point": CODE, **_CODES}

ELEMENTWISE: Final[Mapping[str, Binding]] = {
    "add": Binding(
        ("a", "b"),
        {"scheme": scheme_of(*ADDERS), **_PAIR},
        infer_pair,
        _prepare_add,
        overwrites=("a", "b"),
    ),
    "sub": Binding(
        ("a", "b"),
        {"scheme": scheme_of(*ADDERS), **_PAIR, "negate": check.one_of("term", "operand")},
        infer_pair,
        _prepare_sub,
        overwrites=("a", "b"),
    ),
    "mul": Binding(
        ("a", "b"),
        {"scheme": scheme_of(*REQUANTIZERS), **_PAIR, "axis": AXIS},
        _infer_mul,
        _prepare_mul,
        overwrites=("a", "b"),
    ),
    "prelu": Binding(
        ("x", "slopes"),
        {
            "positive": scheme_of(*REQUANTIZERS),
            "negative": scheme_of(*REQUANTIZERS),
            "x_zero_point": CODE,
            "slope_zero_point": CODE,
            "zero_point": CODE,
            "output": check.output_format,
        },
        _infer_prelu,
        _prepare_prelu,
        overwrites=("x",),
    ),
    "minimum": _extremum("minimum"),
    "maximum": _extremum("maximum"),
    "shift_right": Binding(
        ("x", "shift"),
        {"rounding": check.one_of(*get_args(DeterministicRounding)), "output": check.output_format},
        infer_pair,
        _prepare_shift,
        overwrites=("x",),
    ),
    "mean": Binding(
        ("x",),
        {
            "scheme": scheme_of(*AVERAGERS),
            "axes": check.integers(-check.MAX_RANK, check.MAX_RANK),
            "keepdims": check.boolean,
            "x_zero_point": CODE,
            **_CODES,
        },
        _infer_mean,
        _prepare_mean,
    ),
    "argmax": Binding(
        ("x",),
        {
            "axis": AXIS,
            "keepdims": check.boolean,
            "last": check.boolean,
            "output": check.position_format,
        },
        _infer_argmax,
        _prepare_argmax,
        optional=("last",),
    ),
    **JOINS,
}
