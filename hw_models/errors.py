"""What the hardware models raise.

Every message names the rule, shows the offender and says what is accepted.
"""

from __future__ import annotations


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
