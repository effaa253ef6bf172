"""Checks of the JSON values that calls, steps and files carry.

A value from a file is data of unknown origin: every reader here says what it wants and refuses
the rest with :class:`qsim.errors.ModelError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from qsim.errors import ModelError

if TYPE_CHECKING:
    from hw_models import Accumulator, FixedFormat, Format

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Array: TypeAlias = npt.NDArray[Any]
Constants: TypeAlias = Mapping[str, Array]
Check: TypeAlias = Callable[[Any, Constants], object]

bad = ModelError.of  # the name by which extensions made before raise it

MAX_NAME: Final = 256
MAX_DEPTH: Final = 32
MAX_RANK: Final = 8
MAX_ELEMENTS: Final = 1 << 28
INT64: Final = 1 << 63


def is_int(value: object) -> TypeGuard[int]:
    """Return whether value is a Python integer and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def to_json(value: Any, depth: int = 0) -> Json:
    """Return value as plain JSON (tuples become lists, NumPy scalars Python numbers).

    Raises:
        ModelError: for what JSON cannot hold exactly: other objects, NaN, integers above 64 bits.
    """
    if depth > MAX_DEPTH:
        raise ModelError("attributes are nested too deeply", accepted=f"{MAX_DEPTH} levels")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if not -INT64 <= value < 2 * INT64:
            raise ModelError.of("an attribute must fit 64 bits", value, "-2**63..2**64-1")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ModelError.of("an attribute must be finite", value, "a finite number")
        return value
    if isinstance(value, (list, tuple)):
        return [to_json(item, depth + 1) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: to_json(item, depth + 1) for key, item in value.items()}
    raise ModelError.of(
        "an attribute must be a JSON value", value, "null, bool, number, text, list, object"
    )


def check_name(value: object, what: str) -> str:
    """Return value if it can name a tensor, a call or a layer: 1 to 256 printable characters."""
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable():
        return value
    raise ModelError.of(f"{what} must be a name", value, f"1 to {MAX_NAME} printable characters")


def name_list(value: Any, what: str) -> tuple[Any, ...]:
    """Return value as a tuple if it is a list; what it holds is for the caller to check."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    raise ModelError.of(f"{what} must be a list of names", value, "a list of names")


def check_names(value: Any, what: str) -> tuple[str, ...]:
    """Return value as a tuple if it is a list of names."""
    return tuple(check_name(name, what) for name in name_list(value, what))


def name_pairs(value: Any, what: str) -> tuple[tuple[str, str], ...]:
    """Return value as tuples of two names each."""
    pairs = [check_names(pair, what) for pair in name_list(value, what)]
    if any(len(pair) != 2 for pair in pairs):
        raise ModelError.of(f"{what} must be pairs of names", pairs, "[input, output] each")
    return tuple((first, second) for first, second in pairs)


def json_object(value: Any, where: str) -> Mapping[str, Json]:
    """Return attributes as plain JSON that nobody changes any more."""
    attributes = to_json(value)
    if not isinstance(attributes, dict):
        raise ModelError.of(f"{where}: attributes must be an object", attributes, "an object")
    return MappingProxyType(attributes)


def check_shape(value: object, what: str, least: int = 1) -> tuple[int, ...]:
    """Return value as a shape; only dimension 0 may be -1 (any batch)."""
    accepted = f"at most {MAX_RANK} sizes of {least} or more; the first may be -1 (any batch)"
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MAX_RANK:
        raise ModelError.of(f"{what}: a shape must be a list of sizes", value, accepted)
    shape = tuple(value)
    for axis, size in enumerate(shape):
        if not is_int(size) or (size < least and not (axis == 0 and size == -1)):
            raise ModelError.of(f"{what}: a shape must hold sizes", list(shape), accepted)
    if math.prod(abs(size) for size in shape) > MAX_ELEMENTS:
        raise ModelError.of(f"{what}: too many elements", list(shape), "at most 2**28 per sample")
    return shape


def check_scale(value: object, what: str) -> float:
    """Return value if it is a finite scale above 0."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        scale = float(value)
        if math.isfinite(scale) and scale > 0:
            return scale
    raise ModelError.of(f"{what}: scale must be finite and above 0", value, "a number above 0")


def integer(low: int, high: int) -> Check:
    """Accept an integer in low..high."""

    def check(value: Any, constants: Constants) -> None:
        del constants
        if not (is_int(value) and low <= value <= high):
            raise ModelError.of("must be an integer in range", value, f"{low}..{high}")

    return check


def optional(inner: Check) -> Check:
    """Accept null, or what inner accepts."""

    def check(value: Any, constants: Constants) -> None:
        if value is not None:
            inner(value, constants)

    return check


def boolean(value: Any, constants: Constants) -> None:
    """Accept true or false."""
    del constants
    if not isinstance(value, bool):
        raise ModelError.of("must be a bool", value, "true or false")


def one_of(*names: str) -> Check:
    """Accept one of the names."""

    def check(value: Any, constants: Constants) -> None:
        del constants
        if not (isinstance(value, str) and value in names):
            raise ModelError.of("must be one of its names", value, ", ".join(names))

    return check


def per_dimension(low: int, high: int = 1 << 16) -> Check:
    """Accept an integer in low..high, or a list of one to three (one per spatial dimension)."""
    single = integer(low, high)

    def check(value: Any, constants: Constants) -> None:
        items = value if isinstance(value, list) else [value]
        if not 1 <= len(items) <= 3:
            raise ModelError.of("must have one value per dimension", value, "1 to 3 values")
        for item in items:
            single(item, constants)

    return check


def padding(value: Any, constants: Constants) -> None:
    """Accept an integer, one per dimension, or (before, after) per dimension."""
    single = integer(0, 1 << 16)
    items = value if isinstance(value, list) else [value]
    if not 1 <= len(items) <= 3:
        raise ModelError.of("must have one entry per dimension", value, "1 to 3 entries")
    for item in items:
        pair = item if isinstance(item, list) else [item, item]
        if len(pair) != 2:
            raise ModelError.of("must be (before, after)", item, "two sizes of 0 or more")
        for size in pair:
            single(size, constants)


def integers(low: int, high: int) -> Check:
    """Accept a list of integers in low..high."""
    single = integer(low, high)

    def check(value: Any, constants: Constants) -> None:
        if not isinstance(value, list) or len(value) > MAX_RANK:
            raise ModelError.of("must be a list of integers", value, f"at most {MAX_RANK} integers")
        for item in value:
            single(item, constants)

    return check


def limits(value: Any, constants: Constants) -> None:
    """Accept [lo, hi] with lo <= hi."""
    integers(-(1 << 32), 1 << 32)(value, constants)
    if len(value) != 2 or value[0] > value[1]:
        raise ModelError.of("must be [lo, hi]", value, "two integers, lo <= hi")


def constant(value: Any, constants: Constants) -> Array:
    """Return the array that ``{"constant": name}`` names."""
    if isinstance(value, dict) and set(value) == {"constant"}:
        name = value["constant"]
        if isinstance(name, str) and name in constants:
            return constants[name]
    raise ModelError.of("must name a constant of this program", value, '{"constant": name}')


def integer_or_constant(low: int, high: int) -> Check:
    """Accept an integer, or a constant that holds a 1-D integer array, in low..high."""
    single = integer(low, high)

    def check(value: Any, constants: Constants) -> None:
        if not isinstance(value, dict):
            single(value, constants)
            return
        array = constant(value, constants)
        if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
            raise ModelError.of(
                "must be a 1-D integer constant", array.shape, "one integer per channel"
            )
        if int(array.min()) < low or int(array.max()) > high:
            raise ModelError.of("holds a value out of range", int(array.max()), f"{low}..{high}")

    return check


def table(value: Any, constants: Constants) -> None:
    """Accept a constant that holds a 1-D integer array of up to 2**16 entries."""
    array = constant(value, constants)
    if array.ndim != 1 or not 1 <= array.size <= 1 << 16 or array.dtype.kind not in "iu":
        raise ModelError.of("must be a 1-D integer constant", array.shape, "one entry per code")


def resolve(value: Any, constants: Constants) -> Any:
    """Return an attribute's value, a private copy of the array where it names a constant."""
    return constant(value, constants).copy() if isinstance(value, dict) else value


def check_keys(value: Any, required: Sequence[str], optional_keys: Sequence[str] = ()) -> None:
    """Require a JSON object with exactly these keys."""
    keys = set(value) if isinstance(value, Mapping) else None
    if keys is None or keys - set(required) - set(optional_keys) or set(required) - keys:
        shown = sorted(keys) if keys is not None else value
        raise ModelError.of(
            "must be an object with its keys", shown, ", ".join((*required, *optional_keys))
        )


def format_from_json(value: Any) -> FixedFormat:
    """Return the format that ``{"bits", "signed", "narrow"}`` describes."""
    from hw_models import ContractError, FixedFormat

    check_keys(value, ("bits", "signed", "narrow"))
    try:
        return FixedFormat(value["bits"], value["signed"], 0, value["narrow"])
    except (ContractError, TypeError) as error:
        raise ModelError(str(error)) from None


def any_format_from_json(value: Any) -> Format:
    """Return a format of codes, or that of float32 values: ``{"float": 32}``."""
    from hw_models import FLOAT32

    if not isinstance(value, dict) or "float" not in value:
        return format_from_json(value)
    if value != format_to_json(FLOAT32):
        raise ModelError.of("float values must be of 32 bits", value, '{"float": 32}')
    return FLOAT32


def format_to_json(value: Format) -> dict[str, Json]:
    """Return a format as ``{"bits", "signed", "narrow"}``; the fraction is not kept.

    That of float32 values is ``{"float": 32}``.
    """
    from hw_models import FixedFormat

    if not isinstance(value, FixedFormat):
        return {"float": value.bits}
    return {"bits": int(value.bits), "signed": value.signed, "narrow": value.narrow}


def output_format(value: Any, constants: Constants) -> None:
    """Accept a format of 1 to 32 bits."""
    del constants
    if format_from_json(value).bits > 32:
        raise ModelError.of("must be a format of an operand", value, "bits 1..32")


def position_format(value: Any, constants: Constants) -> None:
    """Accept a format of 1 to 64 bits: positions are no operands of another primitive."""
    del constants
    format_from_json(value)


def accumulator_from_json(value: Any) -> Accumulator:
    """Return the accumulator of ``{"bits", "overflow"}`` and, optionally, ``at`` and ``order``."""
    from hw_models import Accumulator, ContractError

    check_keys(value, ("bits", "overflow"), ("at", "order"))
    try:
        return Accumulator(**value)
    except (ContractError, TypeError) as error:
        raise ModelError(str(error)) from None


def accumulator_to_json(value: Accumulator) -> dict[str, Json]:
    """Return an accumulator as the attribute of a call."""
    return {
        "bits": int(value.bits),
        "overflow": value.overflow,
        "at": value.at,
        "order": value.order,
    }


def accumulator(value: Any, constants: Constants) -> None:
    """Accept what :func:`accumulator_from_json` accepts."""
    del constants
    accumulator_from_json(value)
