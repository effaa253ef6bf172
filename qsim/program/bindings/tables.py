"""Bindings of the primitives that read tables or resample: interpolate, softmax, resize.

A function of one code (sigmoid, hard swish, ...) is a ``lookup``; ``hw_models.tables`` makes its
table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program import shapes
from qsim.program.bindings.binding import AXIS, Attributes, Binding, Kernel, Operand
from qsim.program.schemes import SOFTMAXES, decode_scheme, scheme_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat, Ledger
    from hw_models.resize import Resize
    from qsim.program.attributes import Array, Constants

_LENGTHS: Final = tuple((1 << bits) + 1 for bits in range(17))


def _interpolation_table(value: Any, constants: Constants) -> None:
    """Accept a constant that holds a 1-D integer array of 2**k + 1 entries."""
    array = check.constant(value, constants)
    if array.ndim != 1 or array.size not in _LENGTHS or array.dtype.kind not in "iu":
        raise ModelError.of("must be a 1-D integer constant", array.shape, "2**k + 1 entries")


def _infer_interpolate(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    from hw_models import ContractError
    from hw_models.interpolation import MAX_BITS, fraction_bits, result_format

    (x,) = operands
    entries = check.format_from_json(attributes["entries"])
    if max(x.codes.bits, entries.bits) > MAX_BITS:
        bits = (x.codes.bits, entries.bits)
        raise ModelError.of("codes and entries must have few bits", bits, f"1..{MAX_BITS} bits")
    try:
        size = attributes["intervals"] + 1
        fraction_bits(size, x.codes)
        return x.shape, result_format(entries, size, x.codes, attributes["result"])
    except ContractError as error:
        raise ModelError(str(error)) from None


def _prepare_interpolate(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.interpolation import interpolate

    table = check.resolve(attributes["table"], constants)
    size = attributes["intervals"] + 1
    if table.size != size:
        raise ModelError.of(
            "table must have one entry more than intervals", table.size, f"{size} entries"
        )
    codes, entries = operands[0].codes, check.format_from_json(attributes["entries"])
    result = attributes["result"]
    return lambda arrays, ledger: interpolate(arrays[0], table, codes, entries, result, ledger)


def _infer_softmax(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    from hw_models import ContractError
    from hw_models.softmax import require_softmax

    (x,) = operands
    axis, rank = attributes["axis"], len(x.shape)
    if not -rank <= axis < rank or x.shape[axis] == -1:
        raise ModelError.of("axis must be a dimension of the operand", axis, f"1..{rank - 1}")
    output = check.format_from_json(attributes["output"])
    try:
        require_softmax(decode_scheme(attributes["scheme"], {}), x.codes, output)
    except ContractError as error:
        raise ModelError(str(error)) from None
    return x.shape, output


def _prepare_softmax(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.softmax import softmax

    scheme = decode_scheme(attributes["scheme"], constants)
    axis, codes = attributes["axis"], operands[0].codes
    output = check.format_from_json(attributes["output"])
    return lambda arrays, ledger: softmax(arrays[0], scheme, axis, codes, output, ledger)


def _infer_masked(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    x, mask = operands
    if shapes.broadcast(x.shape, mask.shape) != x.shape:
        raise ModelError.of("mask must broadcast to x", mask.shape, f"{x.shape}")
    return _infer_softmax((x,), attributes)


def _allowed(operands: Sequence[Operand], attributes: Attributes, constants: Constants) -> Any:
    """Return which elements a constant allows; None where all are."""
    import numpy as np

    if attributes["allowed"] is None:
        return None
    held, shape = check.resolve(attributes["allowed"], constants), operands[0].shape
    if held.ndim > len(shape) or shapes.broadcast(shape, held.shape) != shape:
        raise ModelError.of("allowed must broadcast to x", held.shape, f"{shape}")
    return np.asarray(held) != 0


def _prepare_masked(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.softmax import softmax

    scheme = decode_scheme(attributes["scheme"], constants)
    allowed = _allowed(operands, attributes, constants)
    axis, codes = attributes["axis"], operands[0].codes
    output, hides_zero = check.format_from_json(attributes["output"]), attributes["hides"] == "zero"

    def run(arrays: Sequence[Array], ledger: Ledger | None) -> Array:
        shown = arrays[1] != 0 if hides_zero else arrays[1] == 0
        shown = shown if allowed is None else shown & allowed
        return softmax(arrays[0], scheme, axis, codes, output, ledger, shown)

    return run


def _resized(attributes: Attributes) -> Resize:
    """Return the scheme of a call: ``size`` or ``scale`` says which."""
    from hw_models import ContractError
    from hw_models.resize import ScaledResize, SizedResize

    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in attributes.items()
    }
    try:
        return SizedResize(**values) if "size" in values else ScaledResize(**values)
    except ContractError as error:
        raise ModelError(str(error)) from None


def _infer_resize(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    from hw_models import ContractError
    from hw_models.resize import MAX_PIXELS, result_format

    (x,) = operands
    if len(x.shape) not in (3, 4):
        raise ModelError.of("x must be of rank 3 or 4", x.shape, "[N, C, *spatial]")
    if max(x.shape[2:]) > MAX_PIXELS:
        raise ModelError.of("spatial sizes must be limited", x.shape, f"up to {MAX_PIXELS}")
    scheme = _resized(attributes)
    try:
        sizes = tuple(len(axis) for axis in scheme.taps(x.shape[2:]))
        return (*x.shape[:2], *sizes), result_format(x.codes, scheme)
    except ContractError as error:
        raise ModelError(str(error)) from None


def _prepare_resize(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.resize import resize

    del operands, constants
    scheme = _resized(attributes)
    return lambda arrays, ledger: resize(arrays[0], scheme, ledger)


_MODE: Final = check.one_of("nearest", "bilinear")
_SIGNED: Final = check.integers(-(1 << 16), 1 << 16)

TABLES: Final[Mapping[str, Binding]] = {
    "interpolate": Binding(
        ("x",),
        {
            "table": _interpolation_table,
            "intervals": check.integer(1, 1 << 16),
            "entries": check.output_format,
            "result": check.one_of("rounded", "exact"),
        },
        _infer_interpolate,
        _prepare_interpolate,
        overwrites=("x",),
    ),
    "softmax": Binding(
        ("x",),
        {"scheme": scheme_of(*SOFTMAXES), "axis": AXIS, "output": check.output_format},
        _infer_softmax,
        _prepare_softmax,
    ),
    "masked_softmax": Binding(
        ("x", "mask"),
        {
            "scheme": scheme_of(*SOFTMAXES),
            "axis": AXIS,
            "output": check.output_format,
            "hides": check.one_of("zero", "nonzero"),
            "allowed": check.optional(check.constant),
        },
        _infer_masked,
        _prepare_masked,
        require=_allowed,
    ),
    "resize": Binding(
        ("x",),
        {
            "size": check.integers(1, 1 << 16),
            "mode": _MODE,
            "align_corners": check.boolean,
            "half_pixel_centers": check.boolean,
        },
        _infer_resize,
        _prepare_resize,
    ),
    "resize_scaled": Binding(
        ("x",),
        {
            "scale": check.integers(1, 1 << 16),
            "offset": _SIGNED,
            "border": _SIGNED,
            "mode": _MODE,
        },
        _infer_resize,
        _prepare_resize,
    ),
}
