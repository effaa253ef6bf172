"""Bindings of what transformers without floats need: norms, functions of a code, rotary turns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program import shapes
from qsim.program.bindings.binding import (
    CODE,
    Attributes,
    Binding,
    Kernel,
    Operand,
    call_arguments,
)
from qsim.program.schemes import FUNCTIONS, NORMS, REQUANTIZERS, decode_scheme, scheme_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hw_models import FixedFormat
    from qsim.program.attributes import Constants

    Inferred = tuple[tuple[int, ...], FixedFormat]

_BITS: Final = 16


def _few_bits(x: Operand) -> None:
    if x.codes.bits > _BITS:
        raise ModelError.of(
            "x must hold codes of few bits", f"{x.codes.bits} bits", f"1..{_BITS} bits"
        )


def _asked(ask: Callable[[], object]) -> None:
    """Turn what hw_models refuses into an error of the Program."""
    from hw_models import ContractError

    try:
        ask()
    except ContractError as error:
        raise ModelError(str(error)) from None


def _infer_function(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    from hw_models.integer_function import require_unit

    (x,) = operands
    _few_bits(x)
    _asked(lambda: require_unit(decode_scheme(attributes["scheme"], {}), x.codes))
    return x.shape, check.format_from_json(attributes["output"])


def _prepare_function(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.integer_function import integer_function

    unit, codes = decode_scheme(attributes["scheme"], constants), operands[0].codes
    output = check.format_from_json(attributes["output"])
    return lambda arrays, ledger: integer_function(arrays[0], unit, codes, output, ledger)


def _rows(x: Operand, attributes: Attributes) -> tuple[int, ...]:
    """Return the last dimensions, over which a row reaches; the batch is none of them."""
    dims, rank = attributes["dims"], len(x.shape)
    last = x.shape[rank - dims :] if dims <= rank else (-1,)
    if last[0] == -1 or not math.prod(last):
        raise ModelError.of("dims must count dimensions of a sample", dims, f"1..{rank - 1}")
    return last


def _groups(x: Operand, attributes: Attributes) -> int:
    """Return how many codes a group has."""
    groups = attributes["groups"]
    if len(x.shape) < 2 or x.shape[1] % groups or not math.prod(x.shape[1:]):
        raise ModelError.of("groups must divide the channels", groups, f"divisors of {x.shape}[1]")
    size: int = math.prod(x.shape[1:]) // groups
    return size


def _bounded(x: Operand, attributes: Attributes, count: int, zero_point: int = 0) -> Inferred:
    from hw_models.norms.layer_norm import require_norm

    _few_bits(x)
    norm = decode_scheme(attributes["scheme"], {})
    _asked(lambda: require_norm(norm, x.codes, count, zero_point))
    return x.shape, check.format_from_json(attributes["output"])


def _infer_layer(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    (x,) = operands
    return _bounded(x, attributes, math.prod(_rows(x, attributes)))


def _infer_group(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    (x,) = operands
    return _bounded(x, attributes, _groups(x, attributes))


def _infer_rms(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    (x,) = operands
    count = math.prod(_rows(x, attributes))
    return _bounded(x, attributes, count, attributes["x_zero_point"])


def _parameters(attributes: Attributes, constants: Constants) -> dict[str, Any]:
    """Return norm, weight and bias (where there is one), zero point, output and clamp."""
    tables = {
        name: check.resolve(attributes[name], constants)
        for name in ("weight", "bias")
        if name in attributes
    }
    norm = decode_scheme(attributes["scheme"], constants)
    return {"norm": norm, **tables, **call_arguments(attributes, "zero_point")}


def _prepare_layer(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.norms.layer_norm import layer_norm, norm_parameters

    (x,) = operands
    given, shape = _parameters(attributes, constants), _rows(x, attributes)
    _asked(
        lambda: norm_parameters(given["norm"], given["weight"], given["bias"], shape, _size(shape))
    )
    given |= {"dims": attributes["dims"], "input": x.codes}
    return lambda arrays, ledger: layer_norm(arrays[0], **given, ledger=ledger)


def _prepare_rms(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.norms.layer_norm import norm_parameters
    from hw_models.norms.rms_norm import rms_norm

    (x,) = operands
    given, shape = _parameters(attributes, constants), _rows(x, attributes)
    _asked(lambda: norm_parameters(given["norm"], given["weight"], None, shape, _size(shape)))
    given |= {name: attributes[name] for name in ("dims", "x_zero_point")} | {"input": x.codes}
    return lambda arrays, ledger: rms_norm(arrays[0], **given, ledger=ledger)


def _prepare_group(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.norms.group_norm import group_norm
    from hw_models.norms.layer_norm import norm_parameters

    (x,) = operands
    given, shape = _parameters(attributes, constants), (x.shape[1],)
    count = _groups(x, attributes)
    _asked(lambda: norm_parameters(given["norm"], given["weight"], given["bias"], shape, count))
    given |= {"groups": attributes["groups"], "input": x.codes}
    return lambda arrays, ledger: group_norm(arrays[0], **given, ledger=ledger)


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


def _infer_rotary(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    from hw_models.rotary import require_rotary

    x, *tables = operands
    _few_bits(x)
    _asked(lambda: require_rotary(x.shape, decode_scheme(attributes["scheme"], {}), x.codes))
    pairs = (*x.shape[:-1], x.shape[-1] // 2)
    for name, table in zip(("cos", "sin"), tables, strict=True):
        if shapes.broadcast(pairs, table.shape) != pairs:
            raise ModelError.of(f"{name} must have one code per pair", table.shape, f"{pairs}")
    return x.shape, check.format_from_json(attributes["output"])


def _turns(operands: Sequence[Operand], attributes: Attributes, constants: Constants) -> None:
    """Ask that no sum exceeds 32 bits, whatever codes a table that a run makes holds."""
    import numpy as np

    from hw_models.rotary import require_sums

    del constants
    x, *tables = operands
    known = all(table.constant is not None for table in tables)
    ends = [np.array(max(-table.codes.min, table.codes.max)) for table in tables]
    values = [np.asarray(table.constant, np.int64) for table in tables] if known else ends
    _asked(lambda: require_sums(values, x.codes, attributes["x_zero_point"]))


def _prepare_rotary(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.rotary import rotary

    rescale, codes = decode_scheme(attributes["scheme"], constants), operands[0].codes
    names = ("pairing", "x_zero_point", "zero_point")
    given = {name: attributes[name] for name in names}
    output = check.format_from_json(attributes["output"])
    return lambda arrays, ledger: rotary(
        arrays[0],
        arrays[1],
        arrays[2],
        rescale,
        **given,
        input=codes,
        output=output,
        ledger=ledger,
    )


def _integers(value: Any, constants: Constants) -> None:
    array = check.constant(value, constants)
    if array.dtype.kind not in "iu" or array.size == 0:
        raise ModelError.of("must be a constant of integers", f"{array.dtype}", "integers")


_DIMS: Final = check.integer(1, check.MAX_RANK)
_NORM: Final = {
    "scheme": scheme_of(*NORMS),
    "weight": check.optional(_integers),
    "zero_point": CODE,
    "output": check.output_format,
    "clamp": check.optional(check.limits),
}
_BIASED: Final = {**_NORM, "bias": check.optional(_integers)}

UNITS: Final[Mapping[str, Binding]] = {
    "layer_norm": Binding(
        ("x",), {**_BIASED, "dims": _DIMS}, _infer_layer, _prepare_layer, require=_prepare_layer
    ),
    "group_norm": Binding(
        ("x",),
        {**_BIASED, "groups": check.integer(1, 1 << 16)},
        _infer_group,
        _prepare_group,
        require=_prepare_group,
    ),
    "rms_norm": Binding(
        ("x",),
        {**_NORM, "dims": _DIMS, "x_zero_point": check.integer(-(1 << 16), 1 << 16)},
        _infer_rms,
        _prepare_rms,
        require=_prepare_rms,
    ),
    "rotary": Binding(
        ("x", "cos", "sin"),
        {
            "scheme": scheme_of(*REQUANTIZERS),
            "pairing": check.one_of("half", "interleaved"),
            "x_zero_point": check.integer(-(1 << 16), 1 << 16),
            "zero_point": CODE,
            "output": check.output_format,
        },
        _infer_rotary,
        _prepare_rotary,
        require=_turns,
    ),
    "integer_function": Binding(
        ("x",),
        {"scheme": scheme_of(*FUNCTIONS), "output": check.output_format},
        _infer_function,
        _prepare_function,
        overwrites=("x",),
    ),
}
