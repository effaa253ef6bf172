"""What a binding of a primitive is, and what bindings share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program import shapes

if TYPE_CHECKING:
    from hw_models import FixedFormat, Ledger
    from qsim.program.attributes import Array, Check, Constants

Attributes: TypeAlias = Mapping[str, Any]
MAX_OPERANDS: Final = 64  # of a variadic primitive
Kernel: TypeAlias = "Callable[[Sequence[Array], Ledger | None], Array]"


@dataclass(frozen=True, slots=True)
class Operand:
    """What is known of an operand before anything runs.

    Attributes:
        shape: sizes; -1 in front is any batch.
        format: the codes that it may hold.
        constant: the array itself, when the operand is a constant of the Program.
    """

    shape: tuple[int, ...]
    format: FixedFormat
    constant: Array | None = None


def no_macs(operands: Sequence[Operand], shape: tuple[int, ...]) -> int:
    """Return 0: the primitive multiplies nothing."""
    del operands, shape
    return 0


@dataclass(frozen=True, slots=True)
class Binding:
    """One primitive.

    Attributes:
        operands: their names; those in ``constant`` must be constants. A ``variadic`` primitive
            has one name, and as many operands as a call gives it.
        attributes: exactly the attributes of a call, each with its check; those in ``optional``
            may be left out.
        infer: operands and attributes to (shape, format) of the output.
        prepare: operands, attributes and constants to the function that computes a call; what can
            be packed or derived once (weights, multipliers) is.
        macs: multiply-accumulates of one sample, from the operands and the output shape.
        overwrites: operands whose place in memory the result may take, where both are of one size:
            each element depends on its like alone, and is read before it is written.
    """

    operands: tuple[str, ...]
    attributes: Mapping[str, Check]
    infer: Callable[[Sequence[Operand], Attributes], tuple[tuple[int, ...], FixedFormat]]
    prepare: Callable[[Sequence[Operand], Attributes, Constants], Kernel]
    constant: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    macs: Callable[[Sequence[Operand], tuple[int, ...]], int] = no_macs
    variadic: bool = False
    overwrites: tuple[str, ...] = ()

    def slots(self, count: int) -> tuple[str, ...]:
        """Return the names of a call's operands: ``x0, x1, ...`` where there are any number."""
        if not self.variadic:
            return self.operands
        return tuple(f"{self.operands[0]}{i}" for i in range(max(1, min(count, MAX_OPERANDS))))


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


def private(operand: Operand) -> Array:
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


def keywords(attributes: Attributes, *names: str) -> dict[str, Any]:
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
