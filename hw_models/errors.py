"""What the hardware models raise.

Every message names the rule, shows the offender and says what is accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Never

    from hw_models.formats import Accumulator


class ContractError(ValueError):
    """An argument that the primitive's contract does not allow; its message is one line."""

    def __init__(self, message: str) -> None:
        # NumPy shows an array on many lines.
        super().__init__(" ".join(message.split()))


class AccumulatorOverflowError(ArithmeticError):
    """A value left an accumulator or format whose overflow mode is ``error``.

    Attributes:
        index: position of the first such element in the output tensor (C order).
        value: the exact value that did not fit.
    """

    def __init__(self, where: str, index: tuple[int, ...], value: int, accepted: str) -> None:
        self.index = index
        self.value = value
        super().__init__(
            f"{where}: the value {value} at index {index} overflows; overflow='error' accepts "
            f"{accepted}"
        )

    @classmethod
    def of(
        cls, primitive: str, accumulator: Accumulator, index: tuple[int, ...], value: int
    ) -> Self:
        """Return the error of a sum that did not fit the accumulator of a primitive."""
        return cls(
            f"{primitive} ({accumulator.bits}-bit accumulator, at {accumulator.at})",
            tuple(int(i) for i in index),
            value,
            f"{accumulator.min}..{accumulator.max}",
        )


class NonFiniteError(ArithmeticError):
    """A float32 value is NaN or infinite where a number must be, or its range is too wide.

    Attributes:
        index: of the first such row or element, in C order.
    """

    def __init__(
        self,
        primitive: str,
        what: str,
        index: tuple[int, ...],
        shown: str,
        wanted: str = "finite",
    ) -> None:
        self.index = index
        super().__init__(
            f"{primitive}: {what} at index {index} must be {wanted}, not {shown} "
            f"(accepted: {wanted} numbers)"
        )


class IndexRangeError(IndexError):
    """A position that comes at run time lies outside of the table that it reads.

    Attributes:
        index: of the first such position, in C order.
        value: the position.
    """

    def __init__(self, primitive: str, index: tuple[int, ...], value: int, rows: int) -> None:
        self.index = index
        self.value = value
        accepted = f"0..{rows - 1}" if rows else "none: the table is empty"
        super().__init__(
            f"{primitive}: an index must be a row of the table, not {value} at index {index} "
            f"(accepted: {accepted})"
        )


def no_case(value: Never, what: str, accepted: Iterable[str]) -> str:
    """Return what to say of a value that every branch of a closed choice has passed by.

    mypy takes the call only where it proves that no value can get there: who adds a name to a
    Literal is told by it of every choice that does not know the name.

    Args:
        value: that none of the branches took.
        what: the choice.
        accepted: the values of the choice.
    """
    others = ", ".join(name for name in accepted if name != value)
    return f"{what} must be one that has a case here, not {value!r} (accepted: {others})"
