"""What a primitive of a Program is: its operands, attributes, output, and the code that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qsim.errors import ModelError

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models import FixedFormat, Format, Ledger

    Array: TypeAlias = npt.NDArray[Any]
    Constants: TypeAlias = Mapping[str, Array]
    Check: TypeAlias = Callable[[Any, Constants], object]

Attributes: TypeAlias = Mapping[str, Any]
MAX_OPERANDS: Final = 64  # of a variadic primitive
Kernel: TypeAlias = "Callable[[Sequence[Array], Ledger | None], Array]"


def codes_of(found: Format) -> FixedFormat:
    """Return a format if it is one of codes.

    Raises:
        ModelError: it is that of float32 values.
    """
    from hw_models import FixedFormat

    if isinstance(found, FixedFormat):
        return found
    raise ModelError.of("the tensor must hold codes", "float32 values", "integers of a format")


@dataclass(frozen=True, slots=True)
class Operand:
    """What is known of an operand before anything runs.

    Attributes:
        shape: sizes; -1 in front is any batch.
        format: the codes that it may hold, or that it holds float32 values.
        constant: the array itself, when the operand is a constant of the Program.
    """

    shape: tuple[int, ...]
    format: Format
    constant: Array | None = None

    @property
    def codes(self) -> FixedFormat:
        """The format, of an operand that must hold codes.

        Raises:
            ModelError: it holds float32 values.
        """
        return codes_of(self.format)


def no_macs(operands: Sequence[Operand], shape: tuple[int, ...]) -> int:
    """Return 0: the primitive multiplies nothing."""
    del operands, shape
    return 0


def nothing_more(operands: Sequence[Operand], attributes: Attributes, constants: Constants) -> None:
    """Ask nothing of the constants but what ``infer`` asks."""
    del operands, attributes, constants


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
        require: what a call's function asks of constants, said when the Program is made; needed
            where a command stream computes the primitive without that function.
        macs: multiply-accumulates of one sample, from the operands and the output shape.
        floats: operands that may hold float32 values; all others hold codes.
        overwrites: operands whose place in memory the result may take, where both are of one size:
            element i depends on element i only, and is read before it is written.
    """

    operands: tuple[str, ...]
    attributes: Mapping[str, Check]
    infer: Callable[[Sequence[Operand], Attributes], tuple[tuple[int, ...], Format]]
    prepare: Callable[[Sequence[Operand], Attributes, Constants], Kernel]
    constant: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    require: Callable[[Sequence[Operand], Attributes, Constants], object] = nothing_more
    macs: Callable[[Sequence[Operand], tuple[int, ...]], int] = no_macs
    variadic: bool = False
    overwrites: tuple[str, ...] = ()
    floats: tuple[str, ...] = ()

    def slots(self, count: int) -> tuple[str, ...]:
        """Return the names of a call's operands: ``x0, x1, ...`` where there are any number."""
        if not self.variadic:
            return self.operands
        return tuple(f"{self.operands[0]}{i}" for i in range(max(1, min(count, MAX_OPERANDS))))
