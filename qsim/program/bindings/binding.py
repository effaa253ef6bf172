"""What the bindings of primitives share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program import shapes
from qsim.registry import MAX_OPERANDS, Attributes, Binding, Kernel, Operand

__all__ = [
    "AXIS",
    "CODE",
    "CODES",
    "MAX_OPERANDS",
    "Attributes",
    "Binding",
    "Kernel",
    "Operand",
    "accumulated",
    "call_arguments",
    "check_axis",
    "container",
    "dims",
    "infer_pair",
    "pairs",
    "per_sample",
    "writable_copy",
]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models import FixedFormat
    from qsim.program.attributes import Array


def per_sample(shape: tuple[int, ...]) -> int:
    """Return the number of elements of one sample."""
    return math.prod(shape[1:] if shape and shape[0] == -1 else shape)


def accumulated(attributes: Attributes) -> FixedFormat:
    """Return the format of what a call leaves in its accumulator."""
    return check.accumulator_from_json(attributes["accumulator"]).format


def pairs(value: Any) -> Any:
    """Return padding as hw_models takes it: an integer, or tuples."""
    if isinstance(value, list):
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    return value


def writable_copy(operand: Operand) -> Array:
    """Return a writable copy of a constant: Numba compiles read-only arrays anew."""
    if operand.constant is None:
        raise ModelError.of("the operand must be a constant", operand.shape, "a constant")
    return operand.constant.copy()


def container(array: Array, kind: Any) -> Array:
    """Return codes in the container of their format: a caller's may be another."""
    return array.astype(kind, copy=False)


def dims(value: Any) -> Any:
    """Return one value per dimension as hw_models takes it: an integer, or a tuple."""
    return tuple(value) if isinstance(value, list) else value


def check_axis(x: Operand, axis: int, length: int, what: str) -> None:
    """Require ``length`` channels along axis; the batch is no channel axis."""
    rank = len(x.shape)
    if not -rank <= axis < rank or x.shape[axis] == -1:
        raise ModelError.of("axis must be a dimension of the operand", axis, f"1..{rank - 1}")
    if length not in (0, x.shape[axis]):
        raise ModelError.of(
            f"{what} must have one value per channel", length, f"{x.shape[axis]} values"
        )


def call_arguments(attributes: Attributes, *names: str) -> dict[str, Any]:
    """Return the arguments that attributes of the same names give, with output and clamp."""
    clamp = attributes["clamp"]
    return {
        **{name: attributes[name] for name in names},
        "output": check.format_from_json(attributes["output"]),
        "clamp": None if clamp is None else (clamp[0], clamp[1]),
    }


def infer_pair(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    """Return the broadcast shape of two operands, and the attribute ``output``."""
    a, b = operands
    return shapes.broadcast(a.shape, b.shape), check.format_from_json(attributes["output"])


# Zero points are codes of 1 to 32 bits, signed or not.
CODE: Final = check.integer(-(1 << 31), (1 << 32) - 1)
CODES: Final = check.integer_or_constant(-(1 << 31), (1 << 32) - 1)
AXIS: Final = check.integer(-check.MAX_RANK, check.MAX_RANK)
